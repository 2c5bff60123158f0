-- What every script of a family shares: one pool on one platform, one slot.
--
-- KEYS are the same in every call, all declared, so that a script never meets a key
-- of another slot. ARGV: the time in ms (0: the server's), the policy of pools without one
-- of their own and since when that is so (0: nobody said it), and each zone's name and three
-- resets around the caller's time; then the script's own arguments. What few scripts look at is
-- one text: an argument costs either side more than its bytes.
--
-- Numbers are tokens and milliseconds, below 2^53. They never become text by `..`,
-- which keeps 14 digits; `%d` is exact, in a third of the time that `%.0f` takes, or the server
-- with a number that it is given.
--
-- Redis undoes nothing when a script fails, so a script checks its arguments before its
-- first write, and what it will write to.

local A, Q, IDLE, OUT_OF_HAND, TIMERS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local RESTING, STUCK, LEASES, DEADLINES = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local CHARGES, BLOCKS, BLOCK_ENDS, TURN = KEYS[10], KEYS[11], KEYS[12], KEYS[13]
local REASONS, FIXED, NAMES, EARLY = KEYS[14], KEYS[15], KEYS[16], KEYS[17]
local SLOTS = { KEYS[18], KEYS[19], KEYS[20], KEYS[21] }
local PLATFORMS = KEYS[22]
-- The order of the pool's policy, and each slot's; the pool's policies; conversations; sums.
local PLACES, POLICY, BOUND, BOUND_TIMES = KEYS[23], KEYS[28], KEYS[29], KEYS[30]
local SUMS = KEYS[31]
local PLACE_SLOTS = { KEYS[24], KEYS[25], KEYS[26], KEYS[27] }

local call, format = redis.call, string.format
local pack, unpack_ = cmsgpack.pack, cmsgpack.unpack

local ACTIVE, COOLING = 0, 1
-- One request at a time may try it.
local TRYING = 6
-- On its way to another pool: so much more than what it was, and is again where it arrives.
-- To all but the view, the removal and the move itself it is as good as gone.
local MOVING = 100

local function number(text)
  local value = tonumber(text)
  if not value then error('not a number: ' .. tostring(text)) end
  return value
end

-- Keys that hold what they should: something else may stand in one's place. A key that was read
-- has been checked.
local sound = {}
local function check(size, key)
  if sound[key] then return end
  call(size, key)
  sound[key] = true
end
local function check_set(key) check('ZCARD', key) end
local function check_hash(key) check('HLEN', key) end

local now = number(ARGV[1])
if now == 0 then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- The script's own arguments begin after this one.
local base = 3

local zones
local function next_reset(zone)
  if not zones then
    zones = {}
    for name, last, coming, after in string.gmatch(ARGV[3], '(%S+) (%S+) (%S+) (%S+)') do
      zones[name] = { number(last), number(coming), number(after) }
    end
  end
  for _, reset in ipairs(zones[zone] or {}) do
    if reset > now then return reset end
  end
  return 0
end

-- An account is packed as: health, end of its pause, whether it rests for its quota,
-- tokens leased, open leases, turn of its last lease, time of its last lease, timer as
-- written, when one request may try it (0: not before the pause ends), failures in a row,
-- when the last was counted, the lease that tries it or '' (on its way: not ''), its
-- priority, its place in the policy's order as written or ''; then for each window: a day's
-- zone or the seconds of one that begins with its first use, limit (-1: none), used, end
-- (0: not begun), where the limit comes from (and 4 more if the end was told).
local ST, UNTIL, QUOTA, LEASED, OPEN, LAST, USED_AT, TIMER = 1, 2, 3, 4, 5, 6, 7, 8
local TRY, STRIKES, STRUCK, TRIAL = 9, 10, 11, 12
local PRIORITY, PLACE = 13, 14
local FIRST_WINDOW, STRIDE = 15, 5
local USUAL_PRIORITY = 50

-- The pool's policy. The hash holds the pool's own, the usual one with the time since when it
-- is that, how often the pool's policy has changed, and by the family's first key what its
-- order is complete for. Gateways may differ on what is usual: the newest word holds for all.
local MOST_REMAINING, BY_PRIORITY, ROUND_ROBIN, STICKY = 0, 1, 2, 3
local policy, changes, placed
local function policy_of_pool()
  if policy then return policy end
  local own, usual
  own, usual, changes, placed = unpack(call('HMGET', POLICY, 'policy', 'usual', 'changes', A))
  local told, told_at = string.match(ARGV[2], '^(%d+) (%d+)$')
  local is, since = told, told_at
  if usual ~= ARGV[2] then is, since = string.match(usual or '', '^(%d+) (%d+)$') end
  if number(told_at) > (tonumber(since) or 0) then
    call('HSET', POLICY, 'usual', ARGV[2])
    if not own and is ~= told then changes = call('HINCRBY', POLICY, 'changes', 1) end
    is = told
  end
  policy = number(own or is or told)
  return policy
end

-- The policy whose order is kept in PLACES, if there is one.
local function order_of_pool()
  local is = policy_of_pool()
  return (is == BY_PRIORITY or is == ROUND_ROBIN) and is or MOST_REMAINING
end

-- What PLACES must be complete for: an order, after so many changes. One that was changed to
-- another and back is not complete, for some accounts may lie where the other put them.
local function wanted_order()
  local order = order_of_pool()
  return format('%d %d', order, changes or 0)
end

local function is_in_order()
  local wanted = wanted_order()
  return (placed or MOST_REMAINING .. ' 0') == wanted
end

-- Most left first: the score is what is left, negated. Among equals, text order: the
-- fewest leases in flight, then the longest unused.
local function member(s)
  return format('%06d%015d', s[OPEN], s[LAST]) .. s.id
end

local function id_of(m)
  return string.sub(m, 22)
end

-- How much is left, by powers of two, as `size_class`.
local function size_class(tokens)
  local class = 8
  while class < 20 and tokens >= 2 ^ (class + 1) do class = class + 1 end
  return class
end

-- A place in the policy's order is a class, the score, and a text within it: what is left,
-- turned round, open leases and turn; the turn comes first in a round. Then the account.
local MOST = 2 ^ 53
local function place(s, rest)
  local order = order_of_pool()
  if order == MOST_REMAINING or (rest and rest <= 0) then return '' end
  local poor, rank = format('%017d', MOST - math.min(rest or MOST, MOST)), nil
  if order == BY_PRIORITY then
    rank = poor .. format('%06d%015d', s[OPEN], s[LAST])
    return format('%d ', s[PRIORITY]) .. rank .. s.id
  end
  rank = format('%015d', s[LAST]) .. poor .. format('%06d', s[OPEN])
  return format('%d ', size_class(rest or MOST)) .. rank .. s.id
end

-- Of a place's text: the account, and in a round what is left.
local function id_of_place(text) return string.sub(text, 39) end
local function rest_of_place(text) return MOST - tonumber(string.sub(text, 16, 32)) end

local function move_place(set, was, is)
  if was ~= '' then call('ZREM', set, string.match(was, ' (.*)$')) end
  if is ~= '' then
    local class, text = string.match(is, '^(%d+) (.*)$')
    call('ZADD', set, class, text)
  end
end

-- The tightest window's rest; nil without any limit.
local function left_of(s)
  local least
  for w = FIRST_WINDOW, #s, STRIDE do
    if s[w + 1] >= 0 then
      local left = s[w + 1] - s[w + 2]
      if not least or left < least then least = left end
    end
  end
  return least
end

local function rest_of(s)
  local left = left_of(s)
  return left and left - s[LEASED]
end

-- When the windows change what is left: the last end of those that are used up, or
-- else the first of all that are used. 0: never.
local function next_change(s, left)
  local at = 0
  if not left then return 0 end
  for w = FIRST_WINDOW, #s, STRIDE do
    local limit, used, reset = s[w + 1], s[w + 2], s[w + 3]
    if limit >= 0 then
      if left > 0 then
        if used > 0 and reset > 0 and (at == 0 or reset < at) then at = reset end
      elseif limit - used <= 0 then
        -- One that never ends, or whose limit is nothing, keeps it empty for good.
        if reset == 0 or limit == 0 then return 0 end
        if reset > at then at = reset end
      end
    end
  end
  return at
end

local function is_ready(s)
  return s[ST] == ACTIVE or s[ST] == TRYING
end

-- Where an account is found: what `put` compares.
local function standing(s)
  local p = { place = '' }
  if s[ST] >= MOVING then
    p.timer = 0
  elseif is_ready(s) then
    local left = left_of(s)
    local rest = left and left - s[LEASED]
    p.timer = next_change(s, left)
    if s[ST] == TRYING and s[TRY] < s[UNTIL] and (p.timer == 0 or s[UNTIL] < p.timer) then
      p.timer = s[UNTIL]
    end
    if s[TRIAL] == '' then
      p.member = member(s)
      p.score = rest and format('%d', -rest) or '-inf'
      p.place = place(s, rest)
      p.idle = s[OPEN] == 0 and (not rest or rest > 0)
      p.leased_out = left and left > 0 and rest <= 0
    else
      -- While one request tries it, it is to others as one whose tokens are all leased.
      p.leased_out = not left or left > 0
    end
  elseif s[ST] == COOLING then
    p.timer = s[UNTIL]
    p.early = s[TRY] > 0 and s[TRY] < s[UNTIL] and s[TRY] or nil
    p.resting = s[QUOTA] == 0 and s[UNTIL]
  else
    p.timer = 0
    p.stuck = true
  end
  return p
end

local function load_any(id)
  local raw = call('HGET', A, id)
  if not raw then return nil end
  local s = unpack_(raw)
  s.id = id
  -- Written before there were priorities.
  if (#s - FIRST_WINDOW + 1) % STRIDE ~= 0 then
    table.insert(s, PRIORITY, USUAL_PRIORITY)
    table.insert(s, PLACE, '')
  end
  s.was = standing(s)
  s.was.place = s[PLACE]
  s.was.timer = s[TIMER]
  return s
end

local function load(id)
  local s = load_any(id)
  return s and s[ST] < MOVING and s or nil
end

-- Ends the windows whose time has come, and begins the next day's.
local function roll(s)
  for w = FIRST_WINDOW, #s, STRIDE do
    local reset = s[w + 3]
    if reset ~= 0 and reset <= now then
      s[w + 2] = 0
      reset = 0
      s[w + 4] = s[w + 4] % 4
    end
    if reset == 0 and type(s[w]) == 'string' then reset = next_reset(s[w]) end
    s[w + 3] = reset
  end
end

local function packed(s)
  local flat = {}
  for i = 1, #s do flat[i] = s[i] end
  return pack(flat)
end

-- A model that is blocked on many accounts has a slot: the order of accounts less those,
-- so that a lease finds one without walking past them. There are four. The hash of blocks
-- holds beside them how many each model has, and which model has which slot.
local function slot_of(model)
  local index = call('HGET', BLOCKS, '\0m' .. model)
  return index and tonumber(index)
end

local live
local function live_slots()
  if not live then
    live = {}
    if call('HEXISTS', BLOCKS, '\0n') == 1 then
      local models = call('HMGET', BLOCKS, '\0s1', '\0s2', '\0s3', '\0s4')
      for i = 1, #SLOTS do live[i] = models[i] or nil end
    end
  end
  return live
end

local function check_slot(index)
  check_set(SLOTS[index])
  check_set(PLACE_SLOTS[index])
end

local function free_slot(index, model)
  call('DEL', SLOTS[index], PLACE_SLOTS[index])
  call('HDEL', BLOCKS, '\0m' .. model, '\0s' .. index)
  if call('HINCRBY', BLOCKS, '\0n', -1) <= 0 then call('HDEL', BLOCKS, '\0n') end
  live = nil
end

local function is_blocked(model, id)
  local ends = call('HGET', BLOCKS, model .. '\0' .. id)
  return ends and tonumber(ends) > now
end

-- Moves an account in the slots, after its place in the order.
local function put_in_slots(id, was, is)
  for index, model in pairs(live_slots()) do
    local slot, belongs = SLOTS[index], false
    if was.member then
      belongs = call('ZREM', slot, was.member) == 1
    elseif is.member then
      belongs = not is_blocked(model, id)
    end
    if belongs and is.member then call('ZADD', slot, is.score, is.member) end
    if was.place ~= '' or (belongs and is.place ~= '') then
      move_place(PLACE_SLOTS[index], was.place, belongs and is.place or '')
    end
  end
end

-- Looks where an account will belong, and that it can be brought there.
local function prepare(s)
  local was, is = s.was, standing(s)
  local ranks = was.member ~= is.member or was.score ~= is.score
  if ranks then check_set(Q) end
  if was.place ~= is.place then check_set(PLACES) end
  if ranks or was.place ~= is.place then
    for index in pairs(live_slots()) do check_slot(index) end
  end
  if was.idle or is.idle then check_set(IDLE) end
  if was.leased_out or is.leased_out then check_set(OUT_OF_HAND) end
  if was.timer ~= is.timer then check_set(TIMERS) end
  if was.early ~= is.early then check_set(EARLY) end
  if was.resting ~= is.resting then check_set(RESTING) end
  if was.stuck ~= is.stuck then check_set(STUCK) end
  if s.reason then check_hash(REASONS) end
  s.is = is
end

-- Writes an account, and moves it to where it belongs.
local function put(s)
  if not s.is then prepare(s) end
  local was, is = s.was, s.is
  if was.member and was.member ~= is.member then
    call('ZREM', Q, was.member)
  end
  if is.member and (was.member ~= is.member or was.score ~= is.score) then
    call('ZADD', Q, is.score, is.member)
  end
  if was.place ~= is.place then move_place(PLACES, was.place, is.place) end
  if was.member ~= is.member or was.score ~= is.score or was.place ~= is.place then
    put_in_slots(s.id, was, is)
  end
  if was.idle and (not is.idle or was.member ~= is.member) then
    call('ZREM', IDLE, was.member)
  end
  if is.idle and (not was.idle or was.member ~= is.member or was.score ~= is.score) then
    call('ZADD', IDLE, is.score, is.member)
  end
  if is.leased_out and not was.leased_out then
    call('ZADD', OUT_OF_HAND, s.id, s.id)
  elseif was.leased_out and not is.leased_out then
    call('ZREM', OUT_OF_HAND, s.id)
  end
  if is.timer ~= was.timer then
    if is.timer > 0 then
      call('ZADD', TIMERS, is.timer, s.id)
    else
      call('ZREM', TIMERS, s.id)
    end
  end
  if is.early ~= was.early then
    if is.early then
      call('ZADD', EARLY, is.early, s.id)
    else
      call('ZREM', EARLY, s.id)
    end
  end
  if is.resting ~= was.resting then
    if is.resting then
      call('ZADD', RESTING, is.resting, s.id)
    else
      call('ZREM', RESTING, s.id)
    end
  end
  if is.stuck ~= was.stuck then
    if is.stuck then
      call('ZADD', STUCK, s.id, s.id)
    else
      call('ZREM', STUCK, s.id)
    end
  end
  if s.reason == '' then
    call('HDEL', REASONS, s.id)
  elseif s.reason then
    call('HSET', REASONS, s.id, s.reason)
  end
  s[TIMER] = is.timer
  s[PLACE] = is.place
  s.was, s.is, s.reason = is, nil, nil
  call('HSET', A, s.id, packed(s))
end

-- Moves an account's health. The caller puts it to its place.
local function move(s, status, pause_end, quota, try, reason)
  s[ST], s[UNTIL], s[QUOTA], s[TRY], s[TRIAL] = status, pause_end, quota, try, ''
  s.reason = status == ACTIVE and '' or reason
end

-- Ends what is over of an account: its pause, its windows.
local function rouse(s)
  if s[ST] == COOLING or s[ST] == TRYING then
    if s[UNTIL] <= now and (s[TRY] == 0 or s[TRY] < s[UNTIL]) then
      move(s, ACTIVE, 0, 0, 0, '')
    elseif s[TRY] > 0 and s[TRY] <= now then
      s[ST] = TRYING
    end
  end
  roll(s)
end

-- One block of a model less; answers the slot that the model has left. The caller has checked it.
local function release(model)
  local slot = slot_of(model)
  if call('HINCRBY', BLOCKS, model, -1) > 0 then return slot end
  call('HDEL', BLOCKS, model)
  if slot then free_slot(slot, model) end
end
