-- Gives an account another name. Answers 0 when its fixed part is no longer what was read,
-- 2 when another one has the name, 3 when it is on its way to another pool.
--
-- Arguments: id, its name, the other name, the fixed part as it was read, the other.

local id, was, name = ARGV[base + 1], ARGV[base + 2], ARGV[base + 3]
if call('HGET', FIXED, id) ~= ARGV[base + 4] then return 0 end
if not load(id) then return 3 end
if (call('HGET', NAMES, name) or id) ~= id then return 2 end
call('HSET', FIXED, id, ARGV[base + 5])
if call('HGET', NAMES, was) == id then call('HDEL', NAMES, was) end
call('HSET', NAMES, name, id)
return 1
