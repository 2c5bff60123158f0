local function place_one(id)
  local s = load(id)
  if s then put(s) end
end

-- Brings accounts to their places after the pool's policy changed, some in each call;
-- answers whether there are more. Until all are there, leases go by what is left.
local function reorder(most)
  if is_in_order() then return false end
  -- A cursor means something to the process that gave it, and to the walk that it is of: if
  -- the policy has changed again, or another process is the master, all begins anew.
  local wanted, from = wanted_order(), A .. ' next'
  local walk = wanted .. ' ' .. string.match(call('INFO', 'server'), 'run_id:(%w+)')
  local was, cursor = string.match(call('HGET', POLICY, from) or '', '^(.*) (%d+)$')
  local page = call('HSCAN', A, was == walk and cursor or '0', 'COUNT', most)
  for i = 1, #page[2], 2 do
    local done, why = attempt(place_one, page[2][i])
    -- What can't be read has no place.
    if not done and not is_unreadable(why) then error(why, 0) end
  end
  if page[1] ~= '0' then
    call('HSET', POLICY, from, walk .. ' ' .. page[1])
    return true
  end
  call('HDEL', POLICY, from)
  call('HSET', POLICY, A, wanted)
  return false
end
