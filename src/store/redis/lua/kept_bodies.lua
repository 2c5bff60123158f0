-- Looks at some of a user's records for bodies that are kept with them.
--
-- KEYS: records by id, what was said by id. Arguments: where HSCAN goes on, how many it shall look
-- at, and the key besides which they are answered, or ''. Answers where the next look begins,
-- how many lie under each key, and for those that lie under others the record's id, and the
-- text that they are in: their own, or the record from before they lay apart.

local scanned = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local counts, others = {}, {}
for i = 1, #scanned[2], 2 do
  local id, json = scanned[2][i], scanned[2][i + 1]
  local said = redis.call('HGET', KEYS[2], id)
  -- In a text of JSON a quote has a backslash before it: nobody's words pass for this.
  local kid = said and string.match(said, '^{"request":"v1%.([%w_-]+)%.')
    or string.match(json, '"bodies":{"request":"v1%.([%w_-]+)%.')
  if kid then
    counts[kid] = (counts[kid] or 0) + 1
    if ARGV[3] ~= '' and kid ~= ARGV[3] then
      others[#others + 1] = { id, said or '', said and '' or json }
    end
  end
end
local under = {}
for kid, count in pairs(counts) do under[#under + 1] = { kid, count } end
return { scanned[1], under, others }
