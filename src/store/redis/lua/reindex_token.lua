-- Names the row that a token has under another index. Answers 0 when this one is no longer
-- what was read, or is revoked.
--
-- KEYS: the row. Arguments: its JSON as it was read, the other index.

local row = redis.call('HMGET', KEYS[1], 'row', 'revoked_at')
if row[1] ~= ARGV[1] or row[2] then return 0 end
redis.call('HSET', KEYS[1], 'next', ARGV[2])
return 1
