-- Takes notices that are due; nobody else is given them for a while. Those whose row is gone
-- leave the queue.
--
-- KEYS: the rows, the queue, how often each was tried. Arguments: the time, how many, for how
-- long.

-- What stands in its place is met before the first write.
redis.call('HLEN', KEYS[3])
local claimed = {}
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do
  local row = redis.call('ZRANGEBYSCORE', KEYS[1], id, id)
  if row[1] then
    redis.call('ZADD', KEYS[2], ARGV[1] + ARGV[3], id)
    claimed[#claimed + 1] = { row[1], redis.call('HINCRBY', KEYS[3], id, 1) }
  else
    redis.call('ZREM', KEYS[2], id)
    redis.call('HDEL', KEYS[3], id)
  end
end
return claimed
