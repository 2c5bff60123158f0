-- Ends an account's pause after a call that succeeded, unless it rests for its quota.
--
-- Arguments: id.

local s = load(ARGV[base + 1])
if s and s[ST] == COOLING and s[QUOTA] == 0 then
  s[ST], s[UNTIL] = ACTIVE, 0
  call('HDEL', HEALTH, s.id)
  put(s)
end
return 0
