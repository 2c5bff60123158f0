-- Puts another fixed part in the place of an account's. Answers 0 when that is no longer
-- what was read.
--
-- KEYS: the fixed parts. ARGV: id, the JSON as it was read, the other.

if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
