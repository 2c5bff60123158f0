-- Adds a row of the audit log as the next one; 1 when it is there, 0 when another came
-- before it.
--
-- KEYS: the log, then the list of each who may read it. Arguments: its number, the MAC of
-- the row before, its own, the row.

local there = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], ARGV[1])
if there[1] then return string.match(there[1], '^%S*') == ARGV[3] and 1 or 0 end
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local seq, mac = 0, ''
if last[1] then seq, mac = tonumber(last[2]), string.match(last[1], '^%S*') end
if seq + 1 ~= tonumber(ARGV[1]) or mac ~= ARGV[2] then return 0 end
-- What stands in a key's place is met before the first write.
for reader = 2, #KEYS do redis.call('ZCARD', KEYS[reader]) end
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[4])
for reader = 2, #KEYS do redis.call('ZADD', KEYS[reader], ARGV[1], ARGV[1]) end
return 1
