-- What version 7 has more than those before it.

-- As of the last fold: the numbers of records in packs (`lists.rs`). `kind` 0: a user's, 1: those
-- tried on an account, 2: a user's that were tried on none.
CREATE TABLE lists (
  kind INTEGER NOT NULL,
  owner INTEGER NOT NULL,
  last INTEGER NOT NULL,
  count INTEGER NOT NULL,
  numbers BLOB NOT NULL,
  PRIMARY KEY (kind, owner, last)
) WITHOUT ROWID;
