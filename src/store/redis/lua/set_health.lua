-- Moves an account's health. Answers 0 when there is no such account.
--
-- Arguments: id, whether only to a worse one, the number of its status, the end of its
-- pause, whether it rests for its quota, and the health as JSON, '' for an active one.

local id, only_worse, status = ARGV[base + 1], ARGV[base + 2] == '1', number(ARGV[base + 3])
local pause_end, quota = number(ARGV[base + 4]), number(ARGV[base + 5])
local json = ARGV[base + 6]
local s = load(id)
if not s then return 0 end

-- As `Health::gives_way_to`: a failed call lengthens a pause, and moves no account that
-- needs a person.
local function gives_way()
  if s[ST] == ACTIVE or (s[ST] == COOLING and s[UNTIL] <= now) then return true end
  return s[ST] == COOLING and (status ~= COOLING or pause_end > s[UNTIL])
end
if only_worse and not gives_way() then return 1 end

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
