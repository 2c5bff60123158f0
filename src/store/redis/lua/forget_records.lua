-- Deletes records of a user that an account has a part in. Answers whether there are more.
--
-- KEYS: as `record.lua`'s first three. Arguments: the account.

local call, format = redis.call, string.format
local TIMES, RECORDS, BY_ACCOUNT = KEYS[1], KEYS[2], KEYS[3]
local from, to = '[' .. ARGV[1] .. ':', '(' .. ARGV[1] .. ';'

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
end
return #some == 100 and 1 or 0
