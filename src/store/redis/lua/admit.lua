-- Makes an account that is on its way what it was before: where it arrived, or where it stays
-- after all. Answers whether it was on its way.
--
-- Arguments: id, the number under which it is here.

local id, move = ARGV[base + 1], number(ARGV[base + 2])
if is_late(id, move) then return 0 end
local s = load_any(id)
local on_its_way = s and s[ST] >= MOVING
if on_its_way then
  s[ST] = s[ST] - MOVING
  s[TRIAL] = ''
  prepare(s)
end
remember(id, move)
if not on_its_way then return 0 end
put(s)
return 1
