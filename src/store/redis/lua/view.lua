-- Shows accounts as they are now: their windows rolled, an ended pause gone.
--
-- Arguments: ids. Answers for each: fixed part, its health in parts (status, 7 for one that is
-- on its way to another pool, end of its
-- pause, whether it is for its quota, when one request may try it, reason), tokens leased,
-- time of its last lease, priority, and the windows as they are packed.

local shown = {}
for i = base + 1, #ARGV do
  local s = load_any(ARGV[i])
  local fixed = call('HGET', FIXED, ARGV[i])
  if s and fixed then
    roll(s)
    local reason = call('HGET', REASONS, ARGV[i]) or ''
    local status = s[ST] == TRYING and COOLING or s[ST]
    if status == COOLING and s[UNTIL] <= now and (s[TRY] == 0 or s[TRY] < s[UNTIL]) then
      status = ACTIVE
    end
    if s[ST] >= MOVING then status = 7 end
    local health = { status, s[UNTIL], s[QUOTA], s[TRY], reason }
    local windows = {}
    for w = FIRST_WINDOW, #s, STRIDE do
      local kind = type(s[w]) == 'string' and 'day' or 'use'
      local period = kind == 'day' and s[w] or format('%.0f', s[w])
      windows[#windows + 1] = { kind, period, s[w + 1], s[w + 2], s[w + 3], s[w + 4] }
    end
    shown[#shown + 1] = { fixed, health, s[LEASED], s[USED_AT], s[PRIORITY], windows }
  end
end
return shown
