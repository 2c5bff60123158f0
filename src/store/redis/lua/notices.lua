-- Notices of some pools, newest first, each with whether it was read. Forgets numbers of
-- rows that are gone.
--
-- KEYS: the rows, what the reader has read, then each pool's list. Arguments: the score to
-- begin at, how many, 1 for unread ones alone.

local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if not first[1] then return {} end
local most = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. first[2])
local found = {}
for pool = 3, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[pool], '-inf', '(' .. first[2])
  local from, taken, more = ARGV[1], 0, true
  while taken < most and more do
    local ids = redis.call('ZREVRANGEBYSCORE', KEYS[pool], from, '-inf', 'LIMIT', 0, 200)
    more = #ids == 200
    for _, id in ipairs(ids) do
      from = '(' .. id
      local read = redis.call('ZSCORE', KEYS[2], id) and 1 or 0
      if taken < most and (read == 0 or ARGV[3] ~= '1') then
        local row = redis.call('ZRANGEBYSCORE', KEYS[1], id, id)
        if row[1] then
          taken = taken + 1
          found[#found + 1] = { tonumber(id), row[1], read }
        else
          redis.call('ZREM', KEYS[pool], id)
        end
      end
    end
  end
end
table.sort(found, function(a, b) return a[1] > b[1] end)
local page = {}
for at = 1, math.min(most, #found) do page[at] = { found[at][2], found[at][3] } end
return page
