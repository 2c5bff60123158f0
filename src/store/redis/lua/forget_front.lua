-- Lets rows go that are too old, from the front, and never the newest, which the next one
-- follows; answers how many. A row begins with a word and its time.
--
-- KEYS: the rows by number. Arguments: the oldest time that stays, how many at most.

local rows = redis.call('ZRANGE', KEYS[1], 0, ARGV[2] - 1)
local most = redis.call('ZCARD', KEYS[1]) - 1
local gone = 0
for _, row in ipairs(rows) do
  local at = tonumber(string.match(row, '^%S* (%d+)'))
  if gone == most or not at or at >= tonumber(ARGV[1]) then break end
  gone = gone + 1
end
if gone > 0 then redis.call('ZREMRANGEBYRANK', KEYS[1], 0, gone - 1) end
return gone
