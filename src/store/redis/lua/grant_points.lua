-- Gives points to a user, or takes them back; answers the balance, or nil when there are
-- not so many that nobody holds, or would be too many.
--
-- Arguments: how many, the most that a balance may be, a note.

local points, most = number(ARGV[base + 1]), number(ARGV[base + 2])
charge_due()
if failed then return failure() end
if points < 0 and value - held + points < 0 then return false end
if value + points > most then return false end
value = value + points
local row = format('%s %.0f %.0f %.0f - ', 'g', points, value, now)
call('XADD', LEDGER, '*', 'e', row .. ARGV[base + 3])
save()
return text(value)
