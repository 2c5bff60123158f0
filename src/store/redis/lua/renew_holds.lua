-- Prolongs holds.
--
-- Arguments: how long they live in ms, then their ids.

local lives = number(ARGV[base + 1])
for i = base + 2, #ARGV do
  call('ZADD', TIMES, 'XX', now + lives, 'l' .. ARGV[i])
end
return 0
