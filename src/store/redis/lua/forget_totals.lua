-- Takes an account's id out of a day's totals: what it counted is counted without it.
--
-- KEYS: the day's totals. Arguments: the account.

local call, format = redis.call, string.format
local all = call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local token, account, rest = string.match(all[i], '^(%d+) (%d+) (.*)$')
  if account == ARGV[1] then
    local field = token .. ' 0 ' .. rest
    local sums, n = {}, 0
    for sum in string.gmatch(call('HGET', KEYS[1], field) or '', '%d+') do
      sums[#sums + 1] = tonumber(sum)
    end
    for sum in string.gmatch(all[i + 1], '%d+') do
      n = n + 1
      sums[n] = format('%.0f', (sums[n] or 0) + tonumber(sum))
    end
    call('HSET', KEYS[1], field, table.concat(sums, ' '))
    call('HDEL', KEYS[1], all[i])
  end
end
return 0
