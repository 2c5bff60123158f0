-- Puts another text in the place of one that is still what was read. Answers 0 when it is not.
--
-- KEYS: where it lies. ARGV: the text as it was read, the other.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
