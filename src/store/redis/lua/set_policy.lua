-- Gives a pool a policy of its own, or takes it away.
--
-- KEYS: the pool's policies. Arguments: the policy, or ''.

local is = ARGV[1]
if (redis.call('HGET', KEYS[1], 'policy') or '') == is then return 0 end
if is == '' then
  redis.call('HDEL', KEYS[1], 'policy')
else
  redis.call('HSET', KEYS[1], 'policy', is)
end
-- No family's order is complete now, whatever it was complete for.
redis.call('HINCRBY', KEYS[1], 'changes', 1)
return 1
