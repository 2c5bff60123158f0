-- What version 6 has more than those before it.

-- What commits leased, renewed and charged since the last fold (`journal.rs`): replayed after a
-- crash on what the other tables hold. `fold`: how many folds there were before (the counter
-- `folds` says how many there are); rows of earlier ones are written over.
CREATE TABLE journal (
  seq INTEGER PRIMARY KEY,
  lines BLOB NOT NULL,
  fold INTEGER NOT NULL DEFAULT 0
);

-- Every ended lease's charge, and its correction, in packs (`charges.rs`) as of the last fold;
-- `seq` and `at` are the last one's. `account` 0 or below: one that is gone.
CREATE TABLE charges (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, lines BLOB NOT NULL);

-- As of the last fold: what deadlines charged and a late exact figure may replace. `windows`: the
-- ends of the windows that it went to; `token` and `model` say where totals counted it.
CREATE TABLE estimates (
  lease BLOB PRIMARY KEY,
  account INTEGER NOT NULL,
  user INTEGER NOT NULL,
  token INTEGER NOT NULL,
  model TEXT NOT NULL,
  tokens INTEGER NOT NULL,
  at INTEGER NOT NULL,
  windows TEXT NOT NULL
) WITHOUT ROWID;
