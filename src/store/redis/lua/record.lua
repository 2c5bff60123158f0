-- Adds records of one user, and deletes the oldest past the bounds.
--
-- KEYS: ids by time, records by id. Arguments: the most to keep, the time before which
-- all go; then for each record its time, id and JSON.

local most, oldest = tonumber(ARGV[1]), tonumber(ARGV[2])
for i = 3, #ARGV, 3 do
  redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 1])
  redis.call('HSET', KEYS[2], ARGV[i + 1], ARGV[i + 2])
end

-- What is over is bounded by what was just added, but for old records: those go a
-- hundred at a time.
local over = redis.call('ZCARD', KEYS[1]) - most
local gone = {}
if over > 0 then gone = redis.call('ZRANGE', KEYS[1], 0, math.min(over, 1000) - 1) end
local old = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[2], 'LIMIT', 0, 100)
for _, ids in ipairs({ gone, old }) do
  if #ids > 0 then
    redis.call('ZREM', KEYS[1], unpack(ids))
    redis.call('HDEL', KEYS[2], unpack(ids))
  end
end
return 0
