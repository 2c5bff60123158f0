-- What time does: deadlines, resets, ended pauses and blocks, old charges.
--
-- Arguments: the most of each to handle, how long a late exact figure is waited for in
-- ms, how long charges are kept, how many of an account, and how long a silent conversation
-- is remembered. Answers how many leases were charged, whether more is due, and the first
-- failure's text or ''.

local most, late = number(ARGV[base + 1]), number(ARGV[base + 2])
local oldest = now - number(ARGV[base + 3])
local most_charges = number(ARGV[base + 4]) * math.max(1, call('HLEN', A))
local silent = now - number(ARGV[base + 5])

local charged = 0
local function expire(entry)
  local id = string.sub(entry, 2)
  if string.sub(entry, 1, 1) == 'l' then
    local raw = call('HGET', LEASES, id)
    if raw then
      local l = unpack_(raw)
      local s = finish(id, l, ESTIMATED, l[2])
      -- Kept with the ends of its windows, for a figure that comes late.
      local kept = { s and l[1] or '0', false, l[3], l[2], l[10] or '0', l[11] or '', now }
      for w = FIRST_WINDOW, s and #s or 0, STRIDE do kept[#kept + 1] = s[w + 3] end
      call('HSET', LEASES, id, pack(kept))
      call('ZADD', DEADLINES, now + late, 'e' .. id)
      charged = charged + 1
    end
  elseif string.sub(entry, 1, 1) == 'e' then
    call('HDEL', LEASES, id)
  end
  call('ZREM', DEADLINES, entry)
end

local _, are_more = each_due(DEADLINES, most, expire)
local _, are_asleep = wake(most)
local _, are_blocked = unblock(most)
local is_placed, unplaced = attempt(reorder, most)

local gone = call('ZRANGEBYSCORE', BOUND_TIMES, '-inf', silent, 'LIMIT', 0, most)
if #gone > 0 then
  call('ZREM', BOUND_TIMES, unpack(gone))
  call('HDEL', BOUND, unpack(gone))
end

-- Charges lie in the order they were made: a look at the first tells whether any is old.
local function is_old(entry)
  return entry and tonumber(string.match(entry[2][2], '(%S+)$')) < oldest
end

local first = call('XRANGE', CHARGES, '-', '+', 'COUNT', 1)[1]
for _ = 1, 50 do
  if not is_old(first) then break end
  local rows = call('XRANGE', CHARGES, '-', '+', 'COUNT', 101)
  local keep = 1
  while keep < #rows and is_old(rows[keep]) do keep = keep + 1 end
  call('XTRIM', CHARGES, 'MINID', rows[keep][1])
  first = keep > 1 and rows[keep]
end
-- A hundred more than are kept may wait, so that one deletion serves many.
local over = call('XLEN', CHARGES) - most_charges
if over > 100 then call('XTRIM', CHARGES, 'MAXLEN', '~', most_charges, 'LIMIT', 5000) end
local trims = is_old(first)

local is_full = are_more or are_asleep or are_blocked or #gone == most
local more = (is_full or (is_placed and unplaced) or trims) and 1 or 0
return { charged, more, failed and failure().err or '' }
