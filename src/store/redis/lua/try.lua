-- Counts one try of a sign-in, or takes one back. Answers 0, or the milliseconds to wait. The
-- rule is that of `accounts/attempts.rs`.
--
-- KEYS: what was tried. ARGV: the time in ms (0: the server's), how many are free, 1 where
-- distances double, 1 to take one back, the span, the first distance and the memory in ms.

local free, doubles, back = tonumber(ARGV[2]), ARGV[3] == '1', ARGV[4] == '1'
local span, first_distance, memory = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local held = redis.call('HMGET', KEYS[1], 'count', 'first', 'last')
local count, first, last = tonumber(held[1] or 0), tonumber(held[2] or 0), tonumber(held[3] or 0)

if back then
  if count == 0 then return 0 end
  if doubles or count == 1 then
    redis.call('DEL', KEYS[1])
  else
    redis.call('HINCRBY', KEYS[1], 'count', -1)
  end
  return 0
end

local now = tonumber(ARGV[1])
if now == 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local spent = count >= free
local forgotten = now >= first + span
if spent and doubles then forgotten = now >= last + memory end
if count == 0 or forgotten then
  count, first = 0, now
elseif spent then
  local free_at = first + span
  if doubles then free_at = last + math.min(first_distance * 2 ^ math.min(count - free, 8), span) end
  if free_at > now then return free_at - now end
end
redis.call('HSET', KEYS[1], 'count', count + 1, 'first', string.format('%.0f', first),
  'last', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], memory)
return 0
