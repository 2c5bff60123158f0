-- Shows accounts as they are now: their windows rolled, an ended pause gone.
--
-- Arguments: ids. Answers for each: fixed part, health or '', tokens leased, time of its
-- last lease, and the windows as they are packed.

local shown = {}
for i = base + 1, #ARGV do
  local s = load(ARGV[i])
  local fixed = call('HGET', FIXED, ARGV[i])
  if s and fixed then
    roll(s)
    local health = call('HGET', HEALTH, ARGV[i])
    if not health or (s[ST] == COOLING and s[UNTIL] <= now) then health = '' end
    local windows = {}
    for w = FIRST_WINDOW, #s, 4 do
      local kind = type(s[w]) == 'string' and 'day' or 'use'
      local period = kind == 'day' and s[w] or format('%.0f', s[w])
      windows[#windows + 1] = { kind, period, s[w + 1], s[w + 2], s[w + 3] }
    end
    shown[#shown + 1] = { fixed, health, s[LEASED], s[USED_AT], windows }
  end
end
return shown
