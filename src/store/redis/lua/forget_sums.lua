-- Takes an account's id out of a page of the sums: what it was charged counts without it.
--
-- Arguments: the account, where the page begins ('0': the first). Answers where the next does.

local page = call('HSCAN', SUMS, ARGV[base + 2], 'COUNT', 500)
for i = 1, #page[2], 2 do
  local field = page[2][i]
  local head, account, model = string.match(field, '^(%d+ %d+ %d+ )(%d+) (.*)$')
  if account == ARGV[base + 1] then
    local without = head .. '0 ' .. model
    local sums = call('HGET', SUMS, without) or '0 0'
    local exact, estimated = string.match(sums, '^(%S+) (%S+)$')
    local more_exact, more_estimated = string.match(page[2][i + 1], '^(%S+) (%S+)$')
    exact = tonumber(exact) + tonumber(more_exact)
    estimated = tonumber(estimated) + tonumber(more_estimated)
    call('HSET', SUMS, without, format('%.0f %.0f', exact, estimated))
    call('HDEL', SUMS, field)
  end
end
return page[1]
