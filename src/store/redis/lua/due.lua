-- What is due: accounts to wake, blocks to end.

-- What can't be read is looked at again after so long: it may be mended, and others are behind it.
local PUT_OFF = 3600000
local function put_off(set, entry)
  call('ZADD', set, 'XX', now + PUT_OFF, entry)
end

-- Does something for each entry of a set that is due, so many at most. Answers how many are due
-- no longer, and whether there may be more that can be done.
local function each_due(set, most, act)
  local due = call('ZRANGEBYSCORE', set, '-inf', now, 'LIMIT', 0, most)
  sound[set] = true
  local past = 0
  for _, entry in ipairs(due) do
    local done, why = attempt(act, entry, set)
    if not done and is_unreadable(why) then done = attempt(put_off, set, entry) end
    if done then past = past + 1 end
  end
  return past, past > 0 and #due == most
end

local function wake_one(id, set)
  local s = load(id)
  if s then
    rouse(s)
    put(s)
  else
    call('ZREM', set, id)
  end
end

-- Brings accounts whose timer is due to their place.
local function wake(most)
  local woken, is_full = each_due(TIMERS, most, wake_one)
  local early, is_early_full = each_due(EARLY, most, wake_one)
  return math.max(woken, early), is_full or is_early_full
end

local function end_block(entry)
  -- A model's name holds no NUL, an account's id no text: the last NUL parts them.
  local model, id = string.match(entry, '^(.*)%z([^%z]*)$')
  local slot = model and slot_of(model)
  if slot then check_slot(slot) end
  -- One that can't be read belongs nowhere.
  local is_read, s = pcall(load, id or '')
  call('ZREM', BLOCK_ENDS, entry)
  call('HDEL', BLOCKS, entry)
  if not model then return end
  slot = release(model)
  if slot and is_read and s and s.was.member then
    call('ZADD', SLOTS[slot], s.was.score, s.was.member)
    move_place(PLACE_SLOTS[slot], '', s.was.place)
  end
end

-- Ends blocks that are over.
local function unblock(most)
  return each_due(BLOCK_ENDS, most, end_block)
end
