-- Removes what is left of an account that is in another pool. Its open leases end as any: they
-- find no account to charge. Answers whether something was left.
--
-- Arguments: id, the number under which it is there.

local id, move = ARGV[base + 1], number(ARGV[base + 2])
if is_late(id, move) then return 0 end
local remove = removal(id)
remember(id, move)
if not remove then return 0 end
remove()
return 1
