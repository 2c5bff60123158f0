-- Makes an account that is on its way what it was before, where its mark is still this one:
-- where it arrived, or where it stays after all. Answers its mark, '' without one.
--
-- Arguments: id, the mark ('': none, it is only looked at).

local s = load_any(ARGV[base + 1])
if not s or s[ST] < MOVING then return '' end
local mark = s[TRIAL]
if mark == ARGV[base + 2] then
  s[ST] = s[ST] - MOVING
  s[TRIAL] = ''
  put(s)
end
return mark
