-- Gives an account's first window another limit. Answers 0 when there is no such account.
--
-- Arguments: id, the limit (-1: none), where it comes from.

local limit, origin = number(ARGV[base + 2]), number(ARGV[base + 3])
local s = load(ARGV[base + 1])
if not s then return 0 end
rouse(s)
if s[FIRST_WINDOW] then
  local told = s[FIRST_WINDOW + 4] >= 4 and 4 or 0
  s[FIRST_WINDOW + 1] = limit
  s[FIRST_WINDOW + 4] = origin + told
end
put(s)
return 1
