-- Moves an account's health by a person's word, which wipes the slate. Answers 0 when
-- there is no such account.
--
-- Arguments: id, the number of its status, the end of its pause, whether it rests for its
-- quota, when one request may try it, and the reason.

local id, status, pause_end = ARGV[base + 1], number(ARGV[base + 2]), number(ARGV[base + 3])
local quota, try, reason = number(ARGV[base + 4]), number(ARGV[base + 5]), ARGV[base + 6]
local s = load(id)
if not s then return 0 end
s[STRIKES], s[STRUCK] = 0, 0
move(s, status, pause_end, quota, try, reason)
rouse(s)
put(s)
return 1
