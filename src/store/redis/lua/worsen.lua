-- Takes in a failed call, as `Condition::suffer`. Answers whether the account moved.
--
-- Arguments: id, when the call was granted, `rest`, `strike` or `stuck`, the number of the
-- status, whether it is for its quota, the reason; then
--   of a rest: how long a spent quota is left alone in ms, how long it lasts in ms where
--     none of the instants that follow lies ahead;
--   of a strike: how many are forgiven, the first pause and the longest in ms.

local id, granted_at, kind = ARGV[base + 1], number(ARGV[base + 2]), ARGV[base + 3]
local status, quota, reason = number(ARGV[base + 4]), number(ARGV[base + 5]), ARGV[base + 6]
for i = base + 7, #ARGV do number(ARGV[i]) end
local s = load(id)
if not s then return 0 end
rouse(s)

-- The end of the pause, and when one request may try it; nothing: the failure is forgiven.
local function pause()
  if kind == 'stuck' then return 0, 0 end
  if kind == 'rest' then
    local ends
    for i = base + 9, #ARGV do
      local at = tonumber(ARGV[i])
      if at > now and (not ends or at < ends) then ends = at end
    end
    ends = ends or now + tonumber(ARGV[base + 8])
    local early = now + tonumber(ARGV[base + 7])
    return ends, quota == 1 and early < ends and early or 0
  end
  if granted_at < s[STRUCK] then return nil end
  s[STRIKES] = s[STRIKES] + 1
  s[STRUCK] = now
  local beyond = s[STRIKES] - tonumber(ARGV[base + 7]) - 1
  if beyond < 0 then return nil end
  local ends = now + math.min(tonumber(ARGV[base + 8]) * 2 ^ math.min(beyond, 16), tonumber(ARGV[base + 9]))
  return ends, ends
end

local ends, try = pause()
-- As `Health::gives_way_to`: a failed call lengthens a pause, and moves no account that
-- needs a person.
local moves = ends
  and (is_ready(s) or (s[ST] == COOLING and (kind == 'stuck' or ends > s[UNTIL])))
if moves then
  move(s, status, ends, quota, try, reason)
  rouse(s)
end
put(s)
return moves and 1 or 0
