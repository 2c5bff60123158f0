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
  call('ZADD', DEADLINES, now + tombstone, 't' .. id)
end

-- Replaces an estimate in the windows that it went to and that are still open.
-- `kept` is account, false, user, tokens, token, model, when it was charged, and the ends of
-- those windows. Before totals counted charges, there were no token, model and time.
local function correct(id, kept, exact)
  local s = load(kept[1])
  call('ZREM', DEADLINES, 'e' .. id)
  bury(id)
  if not s then return end
  roll(s)
  local is_counted = type(kept[5]) == 'string'
  local first_end = is_counted and 8 or 5
  local open = #s < FIRST_WINDOW
  for w = FIRST_WINDOW, #s, STRIDE do
    if s[w + 3] == kept[first_end + (w - FIRST_WINDOW) / STRIDE] then
      s[w + 2] = math.max(0, s[w + 2] + exact - kept[4])
      open = true
    end
  end
  put(s)
  if open then
    row(id, kept[1], kept[3], CORRECTION, exact - kept[4])
    if is_counted then
      count(kept[3], kept[5], kept[1], kept[6], kept[7], exact, 0)
      uncount(kept[3], kept[5], kept[1], kept[6], kept[7], kept[4])
    end
  end
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

-- One that can't be read must not keep the others from being settled.
local failed
for i = first, #ARGV, fields do
  local id, account, user = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local granted_at = tonumber(ARGV[i + 3])
  local kind, tokens = tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5])
  local token, model = ARGV[i + 6], ARGV[i + 7]
  local done, why = pcall(settle, id, account, user, granted_at, kind, tokens, token, model)
  if not done then failed = failed or why end
end
if not failed then return 0 end
-- What the server said begins with its code; what Lua said has none.
local text = type(failed) == 'table' and failed.err or tostring(failed)
return { err = string.match(text, '^%u+ ') and text or 'ERR script: ' .. text }
