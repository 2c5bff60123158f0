-- Claims something for a time, or ends the claim where that is 0. Answers 0 when another's
-- claim still lasts.
--
-- KEYS: the claim. ARGV: the time in ms (0: the server's), whose claim it is, how long it
-- lasts in ms.

local now, life = tonumber(ARGV[1]), tonumber(ARGV[3])
if now == 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local held = redis.call('HMGET', KEYS[1], 'by', 'until')
if held[1] and held[1] ~= ARGV[2] and tonumber(held[2]) > now then return 0 end
if life == 0 then
  redis.call('DEL', KEYS[1])
  return 1
end
redis.call('HSET', KEYS[1], 'by', ARGV[2], 'until', string.format('%.0f', now + life))
-- So that none lies about; whether it still lasts is said by its own time.
redis.call('PEXPIRE', KEYS[1], 10 * life)
return 1
