-- Adds a user with a pool of its own. Answers its JSON, or nil when the name is taken.
--
-- KEYS: ids by name, users by id, counters. Arguments: name, and its JSON in three parts,
-- between which its id and its pool's go.

if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return false end
-- What stands in a key's place is met before the first write.
redis.call('HLEN', KEYS[2])
local user = redis.call('HINCRBY', KEYS[3], 'user', 1)
local pool = redis.call('HINCRBY', KEYS[3], 'pool', 1)
redis.call('HSET', KEYS[1], ARGV[1], user)
local json = ARGV[2] .. string.format('%d', user) .. ARGV[3] .. string.format('%d', pool) .. ARGV[4]
redis.call('HSET', KEYS[2], user, json)
return json
