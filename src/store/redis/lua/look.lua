-- Looks where moves have left accounts. Answers for each 0 when it is not here, 1 on its way, 2
-- as any, and the number of the last move that touched it here.
--
-- Arguments: ids.

local function is_on_its_way(raw) return unpack_(raw)[ST] >= MOVING end

local seen = {}
for i = base + 1, #ARGV do
  local raw = call('HGET', A, ARGV[i])
  local is_read, on_its_way = pcall(is_on_its_way, raw)
  local is = raw and (is_read and on_its_way and 1 or 2) or 0
  seen[#seen + 1] = { is, last_move(ARGV[i]) }
end
return seen
