-- Lets an account's notices go.
--
-- KEYS: the rows, the account's list.

for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  redis.call('ZREMRANGEBYSCORE', KEYS[1], id, id)
end
redis.call('DEL', KEYS[2])
