-- Deletes records of a user that a removed account has a part in. Answers whether there are
-- more. From now on `record.lua` adds none, and none again.
--
-- KEYS: as `record.lua`'s first four and its last. Arguments: the account, for how many ms
-- that is remembered.

local call, format = redis.call, string.format
local TIMES, RECORDS, BY_ACCOUNT, SAID, GONE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local from, to = '[' .. ARGV[1] .. ':', '(' .. ARGV[1] .. ';'

-- What stands in a key's place is met before the first write.
call('ZCARD', TIMES)
call('ZCARD', BY_ACCOUNT)
call('HLEN', RECORDS)
call('HLEN', SAID)
call('SADD', GONE, ARGV[1])
call('PEXPIRE', GONE, ARGV[2])
local some = call('ZRANGEBYLEX', BY_ACCOUNT, from, to, 'LIMIT', 0, 100)
for _, one in ipairs(some) do
  local at, id = string.match(one, '^%d+:(%d+):(.*)$')
  local json = call('HGET', RECORDS, id)
  if json then
    for _, attempt in ipairs(cjson.decode(json).attempts) do
      call('ZREM', BY_ACCOUNT, format('%.0f:%s:%s', attempt.account, at, id))
    end
  end
  call('ZREM', BY_ACCOUNT, one)
  call('ZREM', TIMES, id)
  call('HDEL', RECORDS, id)
  call('HDEL', SAID, id)
  call('SADD', GONE, 'r' .. id)
end
return #some == 100 and 1 or 0
