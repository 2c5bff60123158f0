-- Says where an account is and where it is bound for, if its place is still what was read.
-- Answers the number that this has: the server's time in microseconds, or one more than the
-- last. 0: the place is another by now; -1: its last number is younger than that.
--
-- KEYS: the place. ARGV: its text as it was read, the other without a number, how old the number
-- must be in microseconds.

local was = redis.call('GET', KEYS[1])
if was ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local last = tonumber(string.match(was, '^%S+ %S+ %S+ (%d+)$') or 0)
local age = tonumber(ARGV[3])
if age > 0 and last + age > now then return -1 end
local is = math.max(now, last + 1)
redis.call('SET', KEYS[1], ARGV[2] .. string.format(' %.0f', is))
return is
