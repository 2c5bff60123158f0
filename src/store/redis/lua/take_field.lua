-- Takes a field away that is what it was read as. Answers 0 when it is not.
--
-- KEYS: the hash. ARGV: the field, what it holds.

if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
