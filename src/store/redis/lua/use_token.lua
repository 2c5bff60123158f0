-- Notes that a token was used, unless a later use is noted.
--
-- KEYS: last uses by token. Arguments: the token, the time.

local before = redis.call('HGET', KEYS[1], ARGV[1])
if not before or tonumber(before) < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
return 0
