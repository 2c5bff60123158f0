-- Puts another row in a token's place. Answers 0 when this one is no longer what was read, is
-- revoked, or has another index since.
--
-- KEYS: the row. Arguments: its JSON as it was read, the new one.

local row = redis.call('HMGET', KEYS[1], 'row', 'revoked_at', 'next')
if row[1] ~= ARGV[1] or row[2] or row[3] then return 0 end
redis.call('HSET', KEYS[1], 'row', ARGV[2])
return 1
