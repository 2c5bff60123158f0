-- What a purse holds: what is left, what of it is held, the end of its day.

charge_due()
return { text(limit + value), text(held), text(ends) }
