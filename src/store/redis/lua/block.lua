-- Blocks a model on an account until an instant; a longer block stays.
--
-- Arguments: account, model, how long it lasts at most in ms, how long it lasts in ms where none of the instants that follow
-- lies ahead. Beside the blocks, the hash counts them by
-- model, so that a lease sees in one look whether its model is blocked anywhere.

local id, model, at = ARGV[base + 1], ARGV[base + 2], nil
for i = base + 5, #ARGV do
  local ends = number(ARGV[i])
  if ends > now and (not at or ends < at) then at = ends end
end
at = math.min(at or now + number(ARGV[base + 4]), now + number(ARGV[base + 3]))
if call('HEXISTS', A, id) == 0 then return 0 end
local field = model .. '\0' .. id
local before = call('HGET', BLOCKS, field)
if before and tonumber(before) >= at then return 1 end
if call('HSET', BLOCKS, field, at) == 1 then call('HINCRBY', BLOCKS, model, 1) end
call('ZADD', BLOCK_ENDS, at, field)
return 1
