-- Takes in a success, as `Condition::recover`.
--
-- Arguments: id.

local s = load(ARGV[base + 1])
if not s then return 0 end
rouse(s)
local paused = s[ST] == TRYING or (s[ST] == COOLING and s[QUOTA] == 0)
if paused or (s[ST] == ACTIVE and s[STRIKES] > 0) then
  s[STRIKES], s[STRUCK] = 0, 0
  move(s, ACTIVE, 0, 0, 0, '')
end
put(s)
return 0
