-- What every script of a purse shares: a user's points, or a gateway token's budget. Each
-- purse has a slot of its own.
--
-- KEYS: what is in it, its holds, their times, its ledger. ARGV: the time in ms (0: the
-- server's), `points` or `budget`, tokens a day of a budget, how long a late figure is
-- waited for in ms, how long a tombstone is kept; then the script's own.
--
-- Holds past their deadline are charged whenever their purse is looked at: nobody has to
-- know which purses there are.

local PURSE, HOLDS, TIMES, LEDGER = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local call, format = redis.call, string.format
local pack, unpack_ = cmsgpack.pack, cmsgpack.unpack
local DAY = 86400000

local function number(text)
  local value = tonumber(text)
  if not value then error('not a number: ' .. tostring(text)) end
  return value
end

-- Numbers never become text by `..`, which keeps 14 digits.
local function text(value)
  return format('%.0f', value)
end

local now = number(ARGV[1])
if now == 0 then
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local is_points = ARGV[2] == 'points'
local limit, late, tombstone = number(ARGV[3]), number(ARGV[4]), number(ARGV[5])
local base = 5

local RELEASED, EXACT, ESTIMATED, CORRECTION = 0, 1, 2, 3

-- A balance, or a day's use below zero; what is held of it and by how many; the day's end.
local fields = call('HMGET', PURSE, 'value', 'held', 'open', 'ends')
local value, held = tonumber(fields[1] or 0), tonumber(fields[2] or 0)
local open, ends = tonumber(fields[3] or 0), tonumber(fields[4] or 0)
if not is_points and ends <= now then
  value = 0
  ends = (math.floor(now / DAY) + 1) * DAY
end

local function save()
  call('HSET', PURSE, 'value', text(value), 'held', text(held), 'open', text(open),
    'ends', text(ends))
  if not is_points then
    for i = 1, 3 do call('PEXPIRE', KEYS[i], 2 * DAY) end
  end
end

-- What stands in the ledger's place is met before the first write.
local function check_ledger()
  if is_points then call('XLEN', LEDGER) end
end

local function spend(kind, amount, id, note)
  local rest = value - amount
  if is_points then
    local row = format('%d %.0f %.0f %.0f %s ', kind, -amount, rest, now, id)
    call('XADD', LEDGER, '*', 'e', row .. note)
  end
  value = rest
end

-- A hold is packed as: what is set aside (false once its estimate was charged), estimate,
-- note, and the end of the day charged. One that can't be read fails before the first write.
local function read_hold(raw)
  local h = unpack_(raw)
  if h[1] then number(h[1]) end
  number(h[2])
  if type(h[3]) ~= 'string' then error('a hold without a note') end
  return h
end

local function let_go(h)
  held = math.max(0, held - h[1])
  open = math.max(0, open - 1)
end

-- Charges a hold past its deadline, or forgets what no figure came for.
local function expire(entry, at)
  local kind, id = string.sub(entry, 1, 1), string.sub(entry, 2)
  local raw = kind ~= 't' and call('HGET', HOLDS, id)
  local h = kind == 'l' and raw and read_hold(raw)
  if h then
    number(h[1])
    check_ledger()
  end
  -- Comes first: it needs no memory, and once something is written a full server takes the rest.
  call('ZREM', TIMES, entry)
  if h then
    -- A day that is over since the deadline has no use for it.
    if is_points or at >= ends - DAY then spend(ESTIMATED, h[2], id, h[3]) end
    let_go(h)
    call('HSET', HOLDS, id, pack({ false, h[2], h[3], ends }))
    call('ZADD', TIMES, at + late, 'e' .. id)
  elseif raw then
    call('HDEL', HOLDS, id)
  end
end

-- What fails has written nothing: nothing of it is saved with what else is done.
local function attempt_on_purse(what, ...)
  local was, was_held, was_open = value, held, open
  local done = attempt(what, ...)
  if not done then value, held, open = was, was_held, was_open end
  return done
end

-- Does that with all that is due.
local function charge_due()
  for _ = 1, 128 do
    local due = call('ZRANGEBYSCORE', TIMES, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 64)
    local is_changed
    for i = 1, #due, 2 do
      if attempt_on_purse(expire, due[i], tonumber(due[i + 1])) then is_changed = true end
    end
    if #due == 0 then return end
    if is_changed then save() end
    if failed then return end
  end
end
