-- Removes an account for good. Its open leases end as any: they find no account to charge.
--
-- Arguments: id, the number of its removal, after which no move brings it back.

local id, move = ARGV[base + 1], number(ARGV[base + 2])
local remove = removal(id)
remember(id, move)
if remove then remove() end
return 0
