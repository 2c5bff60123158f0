-- Moves an account's health. Answers 0 when there is no such account.
--
-- Arguments: id, the number of its status, the end of its pause, whether it rests for
-- its quota, and the health as JSON, '' for an active one.

local id, status, pause_end = ARGV[base + 1], number(ARGV[base + 2]), number(ARGV[base + 3])
local quota, json = number(ARGV[base + 4]), ARGV[base + 5]
local s = load(id)
if not s then return 0 end
s[ST], s[UNTIL], s[QUOTA] = status, pause_end, quota
if status == COOLING and pause_end <= now then
  s[ST], s[UNTIL], s[QUOTA], json = ACTIVE, 0, 0, ''
end
if json == '' then
  call('HDEL', HEALTH, id)
else
  call('HSET', HEALTH, id, json)
end
put(s)
return 1
