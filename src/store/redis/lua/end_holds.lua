-- Ends holds.
--
-- Arguments: how long the tombstone of an unknown one is kept in ms; then for each its id,
-- when it was granted, kind of charge, amount and note.

local unknown_tombstone = number(ARGV[base + 1])
local first, fields = base + 2, 5
for i = first, #ARGV, fields do
  for field = 1, 3 do number(ARGV[i + field]) end
end

-- Comes first, as in `expire`: its first write needs no memory.
local function bury(id)
  call('HDEL', HOLDS, id)
  call('ZADD', TIMES, now + tombstone, 't' .. id)
end

local function finish(id, granted_at, kind, amount, note)
  local raw = call('HGET', HOLDS, id)
  local h = raw and read_hold(raw)
  if h and h[1] then
    if kind ~= RELEASED then check_ledger() end
    call('ZREM', TIMES, 'l' .. id)
    bury(id)
    if kind ~= RELEASED then spend(kind, amount, id, h[3]) end
    let_go(h)
  elseif h then
    -- Its deadline charged the estimate: only the platform's figure is better.
    if kind ~= EXACT then return end
    check_ledger()
    call('ZREM', TIMES, 'e' .. id)
    bury(id)
    if is_points or h[4] == ends then spend(CORRECTION, amount - h[2], id, h[3]) end
  elseif call('ZSCORE', TIMES, 't' .. id) then
    -- It stays as it ended.
    return
  elseif kind == RELEASED then
    -- The asking may still be on its way, and nobody would end it.
    call('ZADD', TIMES, now + unknown_tombstone, 't' .. id)
  elseif now - granted_at < tombstone then
    -- Acknowledged, and lost when a replica took over.
    check_ledger()
    bury(id)
    spend(kind, amount, id, note)
  end
  save()
end

charge_due()
for i = first, #ARGV, fields do
  local granted_at, kind, amount = unpack(ARGV, i + 1, i + 3)
  attempt_on_purse(finish, ARGV[i], tonumber(granted_at), tonumber(kind), tonumber(amount), ARGV[i + 4])
end
return failed and failure() or 0
