-- Sets a part of a purse aside.
--
-- Arguments: id, the most it may come to, its estimate, how long it lives in ms, its note.

local id, most = ARGV[base + 1], number(ARGV[base + 2])
local estimate, lives, note = number(ARGV[base + 3]), number(ARGV[base + 4]), ARGV[base + 5]

charge_due()
if failed then return failure() end
local raw = call('HGET', HOLDS, id)
if raw then return unpack_(raw)[1] and { 'held', text(now) } or { 'busy' } end
-- Its asker gave up before this came.
if call('ZSCORE', TIMES, 't' .. id) then return { 'busy' } end

local left = limit + value - held
local taken
if left >= most then
  taken = most
elseif open > 0 then
  return { 'busy' }
elseif left > 0 then
  -- The lone request: it may have all there is.
  taken = left
else
  return { 'empty', text(ends) }
end
held = held + taken
open = open + 1
call('HSET', HOLDS, id, pack({ taken, estimate, note, 0 }))
call('ZADD', TIMES, now + lives, 'l' .. id)
save()
return { 'held', text(now) }
