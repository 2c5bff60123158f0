-- Ends leases.
--
-- Arguments: how long a tombstone is kept in ms, how long that of a lease that is not
-- known; then for each lease its id, account,
-- user, when it was granted, kind of charge, tokens, token and model.

local tombstone = number(ARGV[base + 1])
local unknown_tombstone = number(ARGV[base + 2])
local first, fields = base + 3, 8
for i = first, #ARGV, fields do
  for field = 3, 5 do number(ARGV[i + field]) end
end

-- Leaves a tombstone, so that a repeated settlement counts once.
local function bury(id)
  call('HDEL', LEASES, id)
  call('ZADD', DEADLINES, format('%d', now + tombstone), 't' .. id)
end

-- Replaces an estimate in the windows that it went to and that are still open.
-- `kept` is account, false, user, tokens, token, model, when it was charged, and the ends of
-- those windows. Before totals counted charges, there were no token, model and time.
local function correct(id, kept, exact)
  local s = load(kept[1])
  check('XLEN', CHARGES)
  local is_counted = type(kept[5]) == 'string'
  local open = s and #s < FIRST_WINDOW
  if s then
    roll(s)
    local first_end = is_counted and 8 or 5
    for w = FIRST_WINDOW, #s, STRIDE do
      if s[w + 3] == kept[first_end + (w - FIRST_WINDOW) / STRIDE] then
        s[w + 2] = math.min(math.max(0, s[w + 2] + exact - kept[4]), MOST)
        open = true
      end
    end
    prepare(s)
  end
  local estimates, field, sum, new, text
  if open then
    text = row(id, kept[1], kept[3], CORRECTION, exact - kept[4])
    if is_counted then
      estimates = sums_of(kept[3], kept[5], kept[1], kept[6], kept[7])
      for _, one in ipairs(estimates) do parts_of(call('HGET', SUMS, one)) end
      field, sum, new = counted(kept[3], kept[5], kept[1], kept[6], kept[7], exact, 0)
    end
  end
  -- Comes first, as in `finish`.
  call('ZREM', DEADLINES, 'e' .. id)
  if open then write_row(text) end
  if field then
    write_sum(field, sum, new)
    uncount(estimates, kept[4])
  end
  if s then put(s) end
  bury(id)
end

local function settle(id, account, user, granted_at, kind, tokens, token, model)
  local raw = call('HGET', LEASES, id)
  local l = raw and unpack_(raw)
  if l and l[2] then
    finish(id, l, kind, tokens)
    bury(id)
  elseif l then
    if kind == EXACT then correct(id, l, tokens) end
  elseif call('ZSCORE', DEADLINES, 't' .. id) then
    -- It stays as it ended.
    return
  elseif kind == RELEASED then
    -- Its asker gave up, and the asking may still be on its way: it must not be granted,
    -- for nobody would end it.
    call('ZADD', DEADLINES, now + unknown_tombstone, 't' .. id)
  elseif now - granted_at < tombstone and call('HEXISTS', A, account) == 1 then
    -- Granted, acknowledged, and lost when a replica took over: what it used counts all
    -- the same. Nothing is held for it. Had it ended since it was granted, its tombstone
    -- would still stand.
    finish(id, { account, false, user, '', '', '', '', '', 0, token, model }, kind, tokens)
    bury(id)
  end
end

for i = first, #ARGV, fields do
  local id, account, user = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local granted_at = tonumber(ARGV[i + 3])
  local kind, tokens = tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5])
  local token, model = ARGV[i + 6], ARGV[i + 7]
  attempt(settle, id, account, user, granted_at, kind, tokens, token, model)
end
return failed and failure() or 0
