-- Takes a team away, with the memberships of these members. Answers 0 when it has others by
-- now.
--
-- KEYS: teams, the team's members, who ever was in it, then each member's teams.
-- ARGV: pool, then each member's id.

if redis.call('HLEN', KEYS[2]) ~= #ARGV - 1 then return 0 end
for i = 2, #ARGV do
  if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 0 then return 0 end
end
-- What stands in a key's place is met before the first write.
redis.call('HLEN', KEYS[1])
for i = 4, #KEYS do redis.call('HLEN', KEYS[i]) end
for i = 4, #KEYS do redis.call('HDEL', KEYS[i], ARGV[1]) end
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
