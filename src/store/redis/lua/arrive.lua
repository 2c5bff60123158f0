-- Takes in an account that comes from another pool, as `leave.lua` told of it. It is not leased
-- before it is admitted. Answers 0 when the name is taken, 2 when the pool is closed, 3 when a
-- later move has come.
--
-- Arguments: id, platform, name, the fixed part as JSON, the move's number, the moving part, the
-- reason of its health, and its blocks.

local id, platform, name, fixed = ARGV[base + 1], ARGV[base + 2], ARGV[base + 3], ARGV[base + 4]
local move = number(ARGV[base + 5])
for i = base + 9, #ARGV, 2 do number(ARGV[i]) end
if is_late(id, move) then return 3 end
-- It was said twice.
if last_move(id) == move and call('HEXISTS', A, id) == 1 then return 1 end
if tonumber(call('HGET', POLICY, 'shut') or 0) > now then return 2 end
if (call('HGET', NAMES, name) or id) ~= id then return 0 end

local s = unpack_(ARGV[base + 6])
s.id = id
s.reason = ARGV[base + 7]
-- Here no request has used it yet, and it stands nowhere.
s[LAST], s[TRIAL], s[TIMER], s[PLACE] = 0, ARGV[base + 5], 0, ''
s.was = { timer = 0, place = '' }
prepare(s)
check_hash(BLOCKS)
check_set(BLOCK_ENDS)
check('SCARD', PLATFORMS)
-- What an earlier move left here.
local remove = removal(id)

remember(id, move)
if remove then remove() end
call('HSET', FIXED, id, fixed)
call('HSET', NAMES, name, id)
-- The order of a family without an account is complete.
if call('HLEN', A) == 0 then call('HSET', POLICY, A, wanted_order()) end
call('SADD', PLATFORMS, platform)
for i = base + 8, #ARGV, 2 do
  local model, ends = ARGV[i], number(ARGV[i + 1])
  local field = model .. '\0' .. id
  if ends > now then
    call('ZADD', BLOCK_ENDS, ends, field)
    if call('HSET', BLOCKS, field, ends) == 1 then call('HINCRBY', BLOCKS, model, 1) end
  end
end
put(s)
return 1
