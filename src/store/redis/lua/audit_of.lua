-- The rows that show in a user's log, newest first. Forgets numbers of rows that are gone.
--
-- KEYS: the log, the user's list. Arguments: the score to begin at, how many.

local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if not first[1] then return {} end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. first[2])
local rows = {}
local own = redis.call('ZREVRANGEBYSCORE', KEYS[2], ARGV[1], '-inf', 'LIMIT', 0, ARGV[2])
for _, seq in ipairs(own) do
  local row = redis.call('ZRANGEBYSCORE', KEYS[1], seq, seq)
  if row[1] then rows[#rows + 1] = row[1] end
end
return rows
