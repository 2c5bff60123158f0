-- Lets an account go to another pool: it is leased no more, and lies here as it is until it is
-- removed, or admitted again.
--
-- Arguments: id, its fixed part as it was read, by whose move. Answers `stale` when it is no
-- longer what was read, `busy` while it has open leases; or `left`, its moving part, the reason
-- of its health, and its blocks: for each the model and its end.

local id = ARGV[base + 1]
local s = load_any(id)
if not s or call('HGET', FIXED, id) ~= ARGV[base + 2] then return { 'stale' } end
if s[ST] >= MOVING then
  if s[TRIAL] == 'in' then return { 'stale' } end
elseif s[OPEN] > 0 then
  return { 'busy' }
else
  s[ST] = s[ST] + MOVING
end
s[TRIAL] = 'out ' .. ARGV[base + 3]
check_hash(REASONS)
check_hash(BLOCKS)
check_set(BLOCK_ENDS)
put(s)
local left = { 'left', packed(s), call('HGET', REASONS, id) or '' }
for _, entry in ipairs(call('ZRANGE', BLOCK_ENDS, 0, -1)) do
  local model, account = string.match(entry, '^(.*)%z([^%z]*)$')
  if account == id then
    left[#left + 1] = model
    left[#left + 1] = call('HGET', BLOCKS, entry)
  end
end
return left
