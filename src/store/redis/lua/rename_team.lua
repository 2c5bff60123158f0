-- Puts another team's row in the place of what was read. Answers 0 when that is no longer
-- there.
--
-- KEYS: teams. ARGV: pool, the JSON as it was read, the other.

if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
