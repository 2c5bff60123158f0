-- Gives an account another priority. Answers 0 when there is no such account.
--
-- Arguments: id, priority.

local priority = number(ARGV[base + 2])
local s = load(ARGV[base + 1])
if not s then return 0 end
s[PRIORITY] = priority
put(s)
return 1
