-- Brings accounts to their places after the pool's policy changed, some in each call;
-- answers whether there are more. Until all are there, leases go by what is left.
local function reorder(most)
  local order, from = order_of_pool(), A .. ' next'
  if order == placed then return false end
  -- The policy may have changed again half way.
  local walk = call('HGET', POLICY, from) or ''
  local cursor = string.match(walk, '^' .. order .. ' (%d+)$') or '0'
  local page = call('HSCAN', A, cursor, 'COUNT', most)
  for i = 1, #page[2], 2 do
    local s = load(page[2][i])
    if s then put(s) end
  end
  if page[1] ~= '0' then
    call('HSET', POLICY, from, order .. ' ' .. page[1])
    return true
  end
  call('HDEL', POLICY, from)
  call('HSET', POLICY, A, order)
  return false
end
