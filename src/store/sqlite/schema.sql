-- Version 8. Times are milliseconds since the Unix epoch; lease ids are 16 bytes.

-- The last id given of each kind; ids are never given twice. `seals:KID`: how often that key
-- of the ring has sealed. `charges`, `records`: the last of them that the last fold wrote;
-- `folds`: how many folds there were.
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE users (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  pool INTEGER NOT NULL,
  created_at INTEGER NOT NULL
);

-- `row` is the whole token as JSON, as its MAC covers it.
CREATE TABLE tokens (
  id INTEGER PRIMARY KEY,
  lookup TEXT NOT NULL UNIQUE,
  row TEXT NOT NULL,
  revoked_at INTEGER
);

CREATE TABLE canaries (seq INTEGER PRIMARY KEY, canary TEXT NOT NULL UNIQUE);

-- What does not move of an account, as JSON; what moves has tables of its own, so
-- that a lease writes few bytes.
CREATE TABLE accounts (
  id INTEGER PRIMARY KEY,
  pool INTEGER NOT NULL,
  platform TEXT NOT NULL,
  name TEXT NOT NULL,
  row TEXT NOT NULL,
  UNIQUE (pool, platform, name)
);

-- Health, failures in a row, and the lease that tries the account, as JSON.
CREATE TABLE health (account INTEGER PRIMARY KEY, health TEXT NOT NULL);

-- As of the last fold: each account's last lease, by its time and its row.
CREATE TABLE uses (
  account INTEGER PRIMARY KEY,
  last_used_at INTEGER NOT NULL,
  turn INTEGER NOT NULL
);

-- As of the last fold. `resets_at` NULL: the window has not begun. One that has ended is rolled when read.
CREATE TABLE windows (
  account INTEGER NOT NULL,
  place INTEGER NOT NULL,
  period TEXT NOT NULL,
  "limit" INTEGER,
  used INTEGER NOT NULL,
  resets_at INTEGER,
  origin TEXT NOT NULL,
  end_told INTEGER NOT NULL,
  PRIMARY KEY (account, place)
) WITHOUT ROWID;

CREATE TABLE blocks (
  account INTEGER NOT NULL,
  model TEXT NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (account, model)
) WITHOUT ROWID;

-- As of the last fold: open leases. The row number is counted by the gateway, so that a lease
-- ends without a search for its id. `account` 0 or below: one that is gone. `ailing`: in bits,
-- whether the account was, and why it was chosen (`rows.rs`).
CREATE TABLE leases (
  row INTEGER PRIMARY KEY,
  id BLOB NOT NULL,
  account INTEGER NOT NULL,
  user INTEGER NOT NULL,
  estimate INTEGER NOT NULL,
  deadline INTEGER NOT NULL,
  granted_at INTEGER NOT NULL,
  remaining INTEGER,
  candidates INTEGER,
  ailing INTEGER NOT NULL,
  token INTEGER NOT NULL DEFAULT 0,
  model TEXT NOT NULL DEFAULT ''
);

-- Ledgers of points, in millionths: a user's rows sum to the balance of the last. They are
-- kept for good.
CREATE TABLE points (
  seq INTEGER PRIMARY KEY,
  user INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  points INTEGER NOT NULL,
  balance INTEGER NOT NULL,
  hold BLOB,
  note TEXT NOT NULL
);
CREATE INDEX points_of_users ON points (user);

-- What gateway tokens used (below zero) of the day that ends then.
CREATE TABLE budgets (token INTEGER PRIMARY KEY, value INTEGER NOT NULL, ends INTEGER NOT NULL);

-- Holds on points (`owner` is a user) and budgets (`owner` is a token): `held` while open;
-- `charged`, the end of the day charged or 0, once the deadline charged the estimate.
CREATE TABLE holds (
  id BLOB PRIMARY KEY,
  is_budget INTEGER NOT NULL,
  owner INTEGER NOT NULL,
  estimate INTEGER NOT NULL,
  held INTEGER,
  charged INTEGER,
  due INTEGER NOT NULL,
  note TEXT NOT NULL
) WITHOUT ROWID;
-- As of the last fold: what calls used, kept for good: `exact` and `estimated` of each charge,
-- the rest of each record. `account` 0: on none, or on one that was removed.
CREATE TABLE totals (
  user INTEGER NOT NULL,
  day TEXT NOT NULL,
  token INTEGER NOT NULL,
  account INTEGER NOT NULL,
  platform TEXT NOT NULL,
  model TEXT NOT NULL,
  calls INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  input INTEGER NOT NULL,
  cache_read INTEGER NOT NULL,
  cache_write INTEGER NOT NULL,
  output INTEGER NOT NULL,
  reasoning INTEGER NOT NULL,
  exact INTEGER NOT NULL,
  estimated INTEGER NOT NULL,
  PRIMARY KEY (user, day, token, account, platform, model)
) WITHOUT ROWID;
CREATE INDEX totals_of_accounts ON totals (account);
