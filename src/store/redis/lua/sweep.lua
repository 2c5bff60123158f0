-- What time does: deadlines, resets, ended pauses and blocks, old charges.
--
-- Arguments: the most of each to handle, how long a tombstone is kept in ms, and the
-- time before which charges are deleted, or 0. Answers how many leases were charged,
-- and whether more is due.

local most, tombstone = number(ARGV[base + 1]), number(ARGV[base + 2])
local oldest = number(ARGV[base + 3])

local charged = 0
local due = call('ZRANGEBYSCORE', DEADLINES, '-inf', now, 'LIMIT', 0, most)
for _, entry in ipairs(due) do
  local id = string.sub(entry, 2)
  if string.sub(entry, 1, 1) == 'l' then
    local raw = call('HGET', LEASES, id)
    if raw then
      local l = unpack_(raw)
      finish(id, l, ESTIMATED, l[2], tombstone)
      charged = charged + 1
    end
  elseif string.sub(entry, 1, 1) == 'e' then
    call('HDEL', LEASES, id)
  end
  call('ZREM', DEADLINES, entry)
end

local woken = wake(most)

local ended = call('ZRANGEBYSCORE', BLOCK_ENDS, '-inf', now, 'LIMIT', 0, most)
for _, entry in ipairs(ended) do
  call('ZREM', BLOCK_ENDS, entry)
  call('HDEL', BLOCKS, entry)
  -- A model's name holds no NUL, an account's id no text: the last NUL parts them.
  local model = string.match(entry, '^(.*)%z[^%z]*$')
  if call('HINCRBY', BLOCKS, model, -1) <= 0 then call('HDEL', BLOCKS, model) end
end

if oldest > 0 then
  local rows = call('XRANGE', CHARGES, '-', '+', 'COUNT', 1000)
  local keep
  for _, entry in ipairs(rows) do
    keep = entry[1]
    if tonumber(string.match(entry[2][2], '(%S+)$')) >= oldest then break end
  end
  if keep then call('XTRIM', CHARGES, 'MINID', keep) end
end

local more = (#due == most or woken == most or #ended == most) and 1 or 0
return { charged, more }
