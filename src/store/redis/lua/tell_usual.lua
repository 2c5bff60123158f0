-- Says which policy is usual. Answers since when it is: a later word is a larger number, also
-- after a fail-over lost the last one.
--
-- KEYS: the usual policy. Arguments: the policy.

local was = redis.call('GET', KEYS[1]) or ''
local is, since = string.match(was, '^(%d+) (%d+)$')
if is == ARGV[1] then return since end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
now = string.format('%.0f', math.max(now, (tonumber(since) or 0) + 1))
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. now)
return now
