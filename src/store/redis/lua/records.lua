-- A user's records, newest first, older than a given one.
--
-- KEYS: ids by time, records by id, ids by account and time, what was said by id. Arguments:
-- the id before which to begin or '', how many, and the account that they were tried on or ''.
-- Answers for each the record, and what was said.

local before, most, account = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local ids = {}
if account == '' then
  local from = 0
  if before ~= '' then
    local rank = redis.call('ZREVRANK', KEYS[1], before)
    if not rank then return {} end
    from = rank + 1
  end
  ids = redis.call('ZREVRANGE', KEYS[1], from, from + most - 1)
else
  local from = '(' .. account .. ';'
  if before ~= '' then
    local at = redis.call('ZSCORE', KEYS[1], before)
    if not at then return {} end
    from = string.format('(%s:%015d:%s', account, tonumber(at), before)
  end
  local to = '[' .. account .. ':'
  for n, one in ipairs(redis.call('ZREVRANGEBYLEX', KEYS[3], from, to, 'LIMIT', 0, most)) do
    ids[n] = string.match(one, '^%d+:%d+:(.*)$')
  end
end
-- `unpack` takes some thousands of values at most.
local records = {}
for first = 1, #ids, 500 do
  local some = { unpack(ids, first, math.min(first + 499, #ids)) }
  local said = redis.call('HMGET', KEYS[4], unpack(some))
  for n, record in ipairs(redis.call('HMGET', KEYS[2], unpack(some))) do
    records[#records + 1] = { record, said[n] }
  end
end
return records
