-- Moves an account's health by a person's word, which wipes the slate. Answers 0 when
-- there is no such account, or it is not as it was seen.
--
-- Arguments: id, the number of its status, the end of its pause, whether it rests for its
-- quota, when one request may try it, and the reason; then, if it
-- must still be so, the number of the status that was seen and its reason.

local id, status, pause_end = ARGV[base + 1], number(ARGV[base + 2]), number(ARGV[base + 3])
local quota, try, reason = number(ARGV[base + 4]), number(ARGV[base + 5]), ARGV[base + 6]
local s = load(id)
if not s then return 0 end
if ARGV[base + 7] then
  rouse(s)
  local is = s[ST] == TRYING and COOLING or s[ST]
  local why = is ~= ACTIVE and call('HGET', REASONS, id) or ''
  if is ~= number(ARGV[base + 7]) or why ~= ARGV[base + 8] then
    put(s)
    return 0
  end
end
s[STRIKES], s[STRUCK] = 0, 0
move(s, status, pause_end, quota, try, reason)
rouse(s)
put(s)
return 1
