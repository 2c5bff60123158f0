-- Blocks a model on an account until an instant; a longer block stays.
--
-- Arguments: account, model, end in ms. Beside the blocks, the hash counts them by
-- model, so that a lease sees in one look whether its model is blocked anywhere.

local id, model, at = ARGV[base + 1], ARGV[base + 2], number(ARGV[base + 3])
if call('HEXISTS', A, id) == 0 then return 0 end
local field = model .. '\0' .. id
local before = call('HGET', BLOCKS, field)
if before and tonumber(before) >= at then return 1 end
if call('HSET', BLOCKS, field, at) == 1 then call('HINCRBY', BLOCKS, model, 1) end
call('ZADD', BLOCK_ENDS, at, field)
return 1
