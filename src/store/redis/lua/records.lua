-- A user's records, newest first, older than a given one.
--
-- KEYS: ids by time, records by id, and more. Arguments: the id before which to begin or '', and
-- how many.

local from = 0
if ARGV[1] ~= '' then
  local rank = redis.call('ZREVRANK', KEYS[1], ARGV[1])
  if not rank then return {} end
  from = rank + 1
end
local ids = redis.call('ZREVRANGE', KEYS[1], from, from + tonumber(ARGV[2]) - 1)
-- `unpack` takes some thousands of values at most.
local records = {}
for first = 1, #ids, 500 do
  local some = { unpack(ids, first, math.min(first + 499, #ids)) }
  for _, record in ipairs(redis.call('HMGET', KEYS[2], unpack(some))) do
    records[#records + 1] = record
  end
end
return records
