-- Adds an account. Answers 0 when the name or the id is taken, 2 when the pool is closed.
--
-- Arguments: id, platform, name, the fixed part as JSON, its priority; then for each window `day` and
-- its zone or `use` and its seconds, the limit (-1: none) and where that comes from.

local id, platform, name, fixed = ARGV[base + 1], ARGV[base + 2], ARGV[base + 3], ARGV[base + 4]
local s = { ACTIVE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', number(ARGV[base + 5]), '' }
for i = base + 6, #ARGV, 4 do
  s[#s + 1] = ARGV[i] == 'day' and ARGV[i + 1] or number(ARGV[i + 1])
  s[#s + 1] = number(ARGV[i + 2])
  s[#s + 1] = 0
  s[#s + 1] = 0
  s[#s + 1] = number(ARGV[i + 3])
end
if tonumber(call('HGET', POLICY, 'shut') or 0) > now then return 2 end
s.id = id
s.was = { timer = 0, place = '' }
prepare(s)
check_hash(FIXED)
check('SCARD', PLATFORMS)
if call('HEXISTS', A, id) == 1 or call('HSETNX', NAMES, name, id) == 0 then return 0 end
call('HSET', FIXED, id, fixed)
-- The order of a family without an account is complete.
if call('HLEN', A) == 0 then call('HSET', POLICY, A, wanted_order()) end
call('SADD', PLATFORMS, platform)
put(s)
return 1
