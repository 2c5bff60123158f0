-- Posts a notice, unless its key is taken; answers whether it is there.
--
-- KEYS: its key, the rows, the pool's list, the account's, then the queue of each channel
-- that it is sent on, then the keys that go with it. Arguments: its number, the row, how long
-- keys are kept, the time, how many channels, the most that wait on one.

local channels = tonumber(ARGV[5])
-- What stands in a key's place is met before the first write.
for list = 2, 4 + channels do redis.call('ZCARD', KEYS[list]) end
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[3]) then
  -- Sent twice: its own number stands there.
  return redis.call('GET', KEYS[1]) == ARGV[1] and 1 or 0
end
for list = 2, 4 do
  redis.call('ZADD', KEYS[list], ARGV[1], list == 2 and ARGV[2] or ARGV[1])
end
for queue = 5, 4 + channels do
  redis.call('ZADD', KEYS[queue], ARGV[4], ARGV[1])
  local over = redis.call('ZCARD', KEYS[queue]) - ARGV[6]
  if over > 0 then redis.call('ZREMRANGEBYRANK', KEYS[queue], 0, over - 1) end
end
for key = 5 + channels, #KEYS do
  redis.call('SET', KEYS[key], ARGV[1], 'NX', 'PX', ARGV[3])
end
return 1
