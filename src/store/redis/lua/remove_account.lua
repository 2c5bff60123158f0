-- Removes an account. Its open leases end as any: they find no account to charge.
--
-- Arguments: id; of what a move left behind, also its fixed part: what has another one by now
-- stays, and so does what is not on its way, unless `older` says that the account is elsewhere.

local id = ARGV[base + 1]
local fixed = call('HGET', FIXED, id)
local s = load_any(id)
if ARGV[base + 2] then
  local on_its_way = s and s[ST] >= MOVING or ARGV[base + 3] == 'older'
  if not on_its_way or fixed ~= ARGV[base + 2] then return 0 end
end
check_hash(REASONS)
check_hash(NAMES)
check_hash(BLOCKS)
for _, set in ipairs({ Q, IDLE, PLACES, OUT_OF_HAND, TIMERS, EARLY, RESTING, STUCK, BLOCK_ENDS }) do
  check_set(set)
end
for index in pairs(live_slots()) do check_slot(index) end
if s then
  if s.was.member then
    call('ZREM', Q, s.was.member)
    call('ZREM', IDLE, s.was.member)
    put_in_slots(id, s.was, { place = '' })
  end
  move_place(PLACES, s.was.place, '')
  for _, set in ipairs({ OUT_OF_HAND, TIMERS, EARLY, RESTING, STUCK }) do call('ZREM', set, id) end
end
for _, hash in ipairs({ A, REASONS, FIXED }) do call('HDEL', hash, id) end
local name = fixed and cjson.decode(fixed).name
if name and call('HGET', NAMES, name) == id then call('HDEL', NAMES, name) end
for _, entry in ipairs(call('ZRANGE', BLOCK_ENDS, 0, -1)) do
  local model, account = string.match(entry, '^(.*)%z([^%z]*)$')
  if account == id then
    call('ZREM', BLOCK_ENDS, entry)
    call('HDEL', BLOCKS, entry)
    release(model)
  end
end
return 0
