-- Adds a user with its identity, all at once. Answers 0 when the name is taken, or the id.
--
-- KEYS: ids by name, users by id, identities by id. Arguments: name, id, the user and its
-- identity as JSON.

local name, id, user, identity = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local named, is = redis.call('HGET', KEYS[1], name), redis.call('HGET', KEYS[2], id)
-- Again, it is there.
if named == id and is == user then return 1 end
if named or is then return 0 end
-- What stands in a key's place is met before the first write.
redis.call('HLEN', KEYS[3])
redis.call('HSET', KEYS[1], name, id)
redis.call('HSET', KEYS[2], id, user)
redis.call('HSET', KEYS[3], id, identity)
return 1
