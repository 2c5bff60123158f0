-- What version 7 has other than those before it.

-- In the order they came, as lines (`records.rs`): a new row goes to the end, whoever's it is.
CREATE TABLE records (
  seq INTEGER PRIMARY KEY,
  user INTEGER NOT NULL,
  at INTEGER NOT NULL,
  id TEXT NOT NULL,
  line BLOB NOT NULL
);

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
