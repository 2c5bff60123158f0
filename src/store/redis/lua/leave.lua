-- Lets an account go to another pool: it is leased no more, and lies here as it is until it is
-- removed, or admitted again.
--
-- Arguments: id, its fixed part as it was read, the move's number. Answers `stale` when it is no
-- longer what was read, or a later move has come, `busy` while it has open leases; or `left`, its
-- moving part, the reason of its health, and its blocks: for each the model and its end.

local id, move = ARGV[base + 1], number(ARGV[base + 3])
if is_late(id, move) then return { 'stale' } end
-- What is refused stays so: sent again, it comes late.
local function refused(why)
  remember(id, move + 1)
  return { why }
end
local s = load_any(id)
if not s or call('HGET', FIXED, id) ~= ARGV[base + 2] then return refused('stale') end
if s[ST] < MOVING then
  if s[OPEN] > 0 then return refused('busy') end
  s[ST] = s[ST] + MOVING
end
-- Without a word here, a gateway from before moves had numbers would admit it.
s[TRIAL] = ARGV[base + 3]
prepare(s)
check_hash(REASONS)
check_hash(BLOCKS)
check_set(BLOCK_ENDS)
remember(id, move)
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
