-- Puts another text in the place of a field's: an account's fixed part, a record, or a user's
-- identity. Answers 0 when that is no longer what was read.
--
-- KEYS: the hash. ARGV: the field, the JSON as it was read ('': none), the other; then, where
-- another field must still be what was read, that field and its JSON.

local function is(field, text)
  return (redis.call('HGET', KEYS[1], field) or '') == text
end
if not is(ARGV[1], ARGV[2]) then return 0 end
if ARGV[4] and not is(ARGV[4], ARGV[5]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
