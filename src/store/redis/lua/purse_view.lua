-- What a purse holds: what is left, what of it is held, the end of its day.

charge_due()
if failed then return failure() end
return { text(limit + value), text(held), text(ends) }
