-- Puts another text in the place of a field's: an account's fixed part, or a record. Answers 0
-- when that is no longer what was read.
--
-- KEYS: the hash. ARGV: the field, the JSON as it was read, the other.

if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
