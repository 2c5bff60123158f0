-- Marks a notice as read; answers whether it is there.
--
-- KEYS: the rows, what the reader has read, then each pool's list. Arguments: its number.

if redis.call('ZCOUNT', KEYS[1], ARGV[1], ARGV[1]) == 0 then return 0 end
for pool = 3, #KEYS do
  if redis.call('ZSCORE', KEYS[pool], ARGV[1]) then
    redis.call('ZADD', KEYS[2], ARGV[1], ARGV[1])
    return 1
  end
end
return 0
