-- Founds a team with its first member. Answers 'taken' when there is a team of that id with
-- another founder, 'full' when the founder has as many teams as it may, else 'done'.
--
-- KEYS: teams, the team's members, the founder's teams, who ever was in it, what the founder
-- ever was in. ARGV: pool, the team as JSON, user, the membership as JSON, most teams.

if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  return redis.call('HGET', KEYS[2], ARGV[3]) == ARGV[4] and 'done' or 'taken'
end
if redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[5]) then return 'full' end
-- What stands in a key's place is met before the first write.
redis.call('HLEN', KEYS[2])
for i = 4, 5 do redis.call('SCARD', KEYS[i]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[4])
redis.call('SADD', KEYS[4], ARGV[3])
redis.call('SADD', KEYS[5], ARGV[1])
return 'done'
