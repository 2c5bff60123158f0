-- Writes a membership where what is there carries the MAC that its writer read ('': nothing),
-- or ends one.
--
-- KEYS: teams, the team's members, the user's teams, who ever was in it, what the user ever
-- was in. ARGV: pool, user, `seat` or `unseat`; then that MAC, the membership as JSON, its
-- role, most members, most teams. Answers 'done', 'stale', 'last_owner' or 'full'.

-- What stands in a key's place is met before the first write.
redis.call('HLEN', KEYS[3])
for i = 4, 5 do redis.call('SCARD', KEYS[i]) end

local pool, user, verb, mac, row, role = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local is = redis.call('HGET', KEYS[2], user)

local function is_last_owner()
  if cjson.decode(is).role ~= 'owner' then return false end
  local owners = 0
  for _, member in ipairs(redis.call('HVALS', KEYS[2])) do
    if cjson.decode(member).role == 'owner' then owners = owners + 1 end
  end
  return owners == 1
end

if verb == 'unseat' then
  if not is then return 'stale' end
  if is_last_owner() then return 'last_owner' end
  redis.call('HDEL', KEYS[2], user)
  redis.call('HDEL', KEYS[3], pool)
  return 'done'
end

if is == row then return 'done' end
if (is and cjson.decode(is).mac or '') ~= mac then return 'stale' end
if redis.call('HEXISTS', KEYS[1], pool) == 0 then return 'stale' end
if is then
  if role ~= 'owner' and is_last_owner() then return 'last_owner' end
else
  if redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[7]) then return 'full' end
  if redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[8]) then return 'full' end
end
redis.call('HSET', KEYS[2], user, row)
redis.call('HSET', KEYS[3], pool, row)
redis.call('SADD', KEYS[4], user)
redis.call('SADD', KEYS[5], pool)
return 'done'
