-- Says when a session was used, if it is there.
--
-- KEYS: the session. ARGV: the time in ms.

if redis.call('HEXISTS', KEYS[1], 'row') == 1 then
  redis.call('HSET', KEYS[1], 'used_at', ARGV[1])
end
return 1
