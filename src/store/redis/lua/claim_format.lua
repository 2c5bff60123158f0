-- Answers the format of what lies here, after it was made ours if it was older.
--
-- KEYS: the format. Arguments: ours.

local found, ours = tonumber(redis.call('GET', KEYS[1]) or 0), tonumber(ARGV[1])
if found >= ours then return found end
redis.call('SET', KEYS[1], ARGV[1])
return ours
