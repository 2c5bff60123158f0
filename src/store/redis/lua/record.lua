-- Adds records of one user and one day, counts them in the day's totals, and deletes the
-- oldest past the bounds. A record that is here already, or that went with an account, counts
-- no more. Answers accounts that were removed: records that are on them are not added.
--
-- KEYS: ids by time, records by id, ids by account and time, what was said by id, days that
-- have totals, the day's totals, accounts that were removed and, after an `r`, records that
-- went with them. Arguments: the most to keep of an account, the
-- time before which all go, the most rows of a day, whether these may be here already and
-- gone again, the day; then for each record its time, id and JSON, what was said or '', how
-- many accounts and which, how many rows of the totals, and for each its key in two parts (the
-- model is the second) and nine counts in one text, parted by whatever is no digit.
--
-- What was said is long, and lies apart: nothing here reads it.

local call, format = redis.call, string.format
local TIMES, RECORDS, BY_ACCOUNT, SAID = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local DAYS, TOTALS, GONE = KEYS[5], KEYS[6], KEYS[7]
local most, most_rows = tonumber(ARGV[1]), tonumber(ARGV[3])
local again, day = ARGV[4] == '1', ARGV[5]
local A_ROW, MOST = 3, 2 ^ 53

local function member(account, at, id)
  return format('%s:%015d:%s', account, at, id)
end

local function add(sums, counts)
  local i = 0
  for count in string.gmatch(counts, '%d+') do
    i = i + 1
    sums[i] = (sums[i] or 0) + tonumber(count)
  end
end

-- Rows of the totals by field, and in the order they came: most of a batch's are one.
local rows, fields = {}, {}
local function count(key, model, counts)
  local field = key .. model
  if not rows[field] then
    rows[field] = { key = key }
    fields[#fields + 1] = field
  end
  add(rows[field], counts)
end

local function write_rows()
  for _, field in ipairs(fields) do
    local sums = rows[field]
    local before = call('HGET', TOTALS, field)
    if not before and call('HLEN', TOTALS) >= most_rows then
      field = sums.key .. 'other'
      before = call('HGET', TOTALS, field)
    end
    add(sums, before or '')
    for i, sum in ipairs(sums) do sums[i] = format('%d', math.min(sum, MOST)) end
    call('HSET', TOTALS, field, table.concat(sums, ' '))
  end
end

-- Calls with many members at once: a call costs more than what it does for one.
local PAGE = 500
local function with_all(command, key, all)
  for from = 1, #all, PAGE do
    call(command, key, unpack(all, from, math.min(from + PAGE - 1, #all)))
  end
end

-- Takes records away, by id, that are of these times.
local function drop(ids, times)
  local listed = {}
  for from = 1, #ids, PAGE do
    local to = math.min(from + PAGE - 1, #ids)
    for n, json in ipairs(call('HMGET', RECORDS, unpack(ids, from, to))) do
      local id, at = ids[from + n - 1], times[from + n - 1]
      listed[#listed + 1] = member('0', at, id)
      -- Within a text the quotes would be escaped.
      for account in string.gmatch(json or '', '"account":(%-?%d+)') do
        listed[#listed + 1] = member(account, at, id)
      end
    end
  end
  with_all('ZREM', BY_ACCOUNT, listed)
  with_all('ZREM', TIMES, ids)
  with_all('HDEL', RECORDS, ids)
  with_all('HDEL', SAID, ids)
end

-- Redis undoes nothing when a script fails: what stands in a key's place is met before the first
-- write.
for _, set in ipairs({ TIMES, BY_ACCOUNT }) do call('ZCARD', set) end
for _, hash in ipairs({ SAID, TOTALS }) do call('HLEN', hash) end
call('SCARD', DAYS)

local any_gone = call('SCARD', GONE) > 0
local gone, touched = {}, {}
local timed, listed = {}, {}
local i = 6
while i <= #ARGV do
  local at, id, json, said = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local first_account = i + 5
  local rows_at = first_account + tonumber(ARGV[i + 4])
  local row_count = tonumber(ARGV[rows_at])
  -- Given again after it was deleted: it was counted then.
  local was_here = any_gone and call('SISMEMBER', GONE, 'r' .. id) == 1
  local is_late = false
  for a = first_account, any_gone and not was_here and rows_at - 1 or 0 do
    if call('SISMEMBER', GONE, ARGV[a]) == 1 then
      is_late = true
      gone[#gone + 1] = ARGV[a]
    end
  end
  for a = first_account, again and rows_at - 1 or 0 do
    local from, to = '[' .. ARGV[a] .. ':', '(' .. ARGV[a] .. ';'
    local first = call('ZRANGEBYLEX', BY_ACCOUNT, from, to, 'LIMIT', 0, 1)[1]
    local is_full = call('ZLEXCOUNT', BY_ACCOUNT, from, to) >= most
    was_here = was_here or (first and is_full and member(ARGV[a], at, id) < first)
  end
  if not is_late and not was_here and call('HSETNX', RECORDS, id, json) == 1 then
    timed[#timed + 1], timed[#timed + 2] = ARGV[i], id
    if said ~= '' then call('HSET', SAID, id, said) end
    for a = first_account, rows_at - 1 do
      listed[#listed + 1], listed[#listed + 2] = 0, member(ARGV[a], at, id)
      touched[ARGV[a]] = true
    end
    for row = 0, row_count - 1 do
      local place = rows_at + 1 + row * A_ROW
      count(ARGV[place], ARGV[place + 1], ARGV[place + 2])
    end
  end
  i = rows_at + 1 + row_count * A_ROW
end
with_all('ZADD', TIMES, timed)
with_all('ZADD', BY_ACCOUNT, listed)
if #fields > 0 then call('SADD', DAYS, day) end
write_rows()

-- What is over is bounded by what was just added, but for old records: those go a
-- hundred at a time.
for account in pairs(touched) do
  local from, to = '[' .. account .. ':', '(' .. account .. ';'
  local over = call('ZLEXCOUNT', BY_ACCOUNT, from, to) - most
  if over > 0 then
    local oldest = call('ZRANGEBYLEX', BY_ACCOUNT, from, to, 'LIMIT', 0, math.min(over, 1000))
    local times = {}
    for n, one in ipairs(oldest) do
      local at, id = string.match(one, '^%d+:(%d+):(.*)$')
      oldest[n], times[n] = id, tonumber(at)
    end
    drop(oldest, times)
  end
end
local old = call('ZRANGEBYSCORE', TIMES, '-inf', '(' .. ARGV[2], 'WITHSCORES', 'LIMIT', 0, 100)
local ids, times = {}, {}
for n = 1, #old, 2 do
  ids[#ids + 1], times[#times + 1] = old[n], tonumber(old[n + 1])
end
drop(ids, times)
return gone
