-- Takes in what a platform told of an account's windows, as `Window::hear`.
--
-- Arguments: id; then for each window `day` and '' or `use` and its seconds, its limit, what
-- is left (each -1: not told), the instant that it ends at, and how long it lasts in ms (each
-- 0: not told).

local s = load(ARGV[base + 1])
for i = base + 2, #ARGV, 6 do
  for field = 2, 5 do number(ARGV[i + field]) end
  if ARGV[i] == 'use' then number(ARGV[i + 1]) end
end
if not s then return 0 end
rouse(s)

local CATALOGUE, HAND, LEARNED, END_TOLD = 0, 1, 2, 4

local function window_of(kind, seconds)
  for w = FIRST_WINDOW, #s, STRIDE do
    if kind == 'day' and type(s[w]) == 'string' or s[w] == seconds then return w end
  end
  -- A day has a zone, which no platform tells.
  if kind == 'day' then return nil end
  local w = #s + 1
  s[w], s[w + 1], s[w + 2], s[w + 3], s[w + 4] = seconds, -1, 0, 0, LEARNED
  return w
end

local function hear(w, limit, left, ends)
  local origin, told = s[w + 4] % END_TOLD, s[w + 4] >= END_TOLD
  if limit >= 0 and origin ~= HAND then
    s[w + 1] = limit
    origin = LEARNED
  end
  if ends > now then
    local known = s[w + 3]
    if known > 0 and type(s[w]) == 'number' and ends - known > math.floor(s[w] / 2) * 1000 then
      s[w + 2] = 0
    end
    s[w + 3] = ends
    told = true
  end
  local most = s[w + 1]
  if most >= 0 and left >= 0 and s[w + 2] >= most and left > math.floor(most / 2) then
    s[w + 2] = math.max(0, most - left)
  end
  s[w + 4] = origin + (told and END_TOLD or 0)
end

for i = base + 2, #ARGV, 6 do
  local w = window_of(ARGV[i], tonumber(ARGV[i + 1]))
  local at, lasts = tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5])
  local ends = at > 0 and at or (lasts > 0 and now + lasts) or 0
  if w then hear(w, tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), ends) end
end
put(s)
return 1
