-- Looks at all that an account stands in, and that it can be taken out of it. Answers what takes
-- it out; nil where nothing of it is here.
local function removal(id)
  local fixed, s = call('HGET', FIXED, id), load_any(id)
  if not fixed and not s then return nil end
  local name = fixed and cjson.decode(fixed).name
  check_hash(REASONS)
  check_hash(NAMES)
  check_hash(BLOCKS)
  for _, set in ipairs({ Q, IDLE, PLACES, OUT_OF_HAND, TIMERS, EARLY, RESTING, STUCK, BLOCK_ENDS }) do
    check_set(set)
  end
  for index in pairs(live_slots()) do check_slot(index) end
  return function()
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
    if name and call('HGET', NAMES, name) == id then call('HDEL', NAMES, name) end
    for _, entry in ipairs(call('ZRANGE', BLOCK_ENDS, 0, -1)) do
      local model, account = string.match(entry, '^(.*)%z([^%z]*)$')
      if account == id then
        call('ZREM', BLOCK_ENDS, entry)
        call('HDEL', BLOCKS, entry)
        release(model)
      end
    end
  end
end
