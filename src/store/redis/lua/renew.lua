-- Prolongs leases; answers those that are no longer open.
--
-- Arguments: how long they live in ms, then their ids.

local lives = number(ARGV[base + 1])
local gone = {}
for i = base + 2, #ARGV do
  local entry = 'l' .. ARGV[i]
  if call('ZSCORE', DEADLINES, entry) then
    call('ZADD', DEADLINES, now + lives, entry)
  else
    gone[#gone + 1] = ARGV[i]
  end
end
return gone
