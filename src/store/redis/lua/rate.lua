-- Counts one request of a gateway token, whichever gateway it came to: so many at once,
-- then one each time a part of the minute has passed (GCRA). Answers 0, or the
-- milliseconds to wait.
--
-- KEYS: the token's time at which it would be fresh again. ARGV: the time in ms (0: the
-- server's), requests a minute.

local now = tonumber(ARGV[1])
if now == 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local each = 60000 / tonumber(ARGV[2])
local fresh = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local wait = math.ceil(fresh + each - 60000 - now - 0.01)
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%.3f', fresh + each), 'PX', 120000)
return 0
