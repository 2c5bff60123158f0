-- Tables that a file of this version may lack, because they came later.

-- The policies of pools that have one of their own.
CREATE TABLE IF NOT EXISTS policies (pool INTEGER PRIMARY KEY, policy TEXT NOT NULL);

-- What users may do and what they sign in with, as JSON, where it was ever set.
CREATE TABLE IF NOT EXISTS identities (user INTEGER PRIMARY KEY, row TEXT NOT NULL);

-- Console sessions by their keyed hash, and one-time links by what they are for; as JSON, as
-- their MACs cover it.
CREATE TABLE IF NOT EXISTS sessions (lookup TEXT PRIMARY KEY, row TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS links (slot TEXT PRIMARY KEY, row TEXT NOT NULL);

-- Where accounts come in pools that go by priority.
CREATE TABLE IF NOT EXISTS priorities (account INTEGER PRIMARY KEY, priority INTEGER NOT NULL);

-- The audit log: who did what, as its MACs cover it, and in whose logs each row shows.
CREATE TABLE IF NOT EXISTS audit (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, row TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS audit_of (
  user INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (user, seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS readers_of_audit ON audit_of (seq);
CREATE TRIGGER IF NOT EXISTS audit_goes AFTER DELETE ON audit
  BEGIN DELETE FROM audit_of WHERE seq = old.seq; END;

-- Notices, what each user has read, the keys that are taken, what is to be sent on a channel.
CREATE TABLE IF NOT EXISTS notices (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  pool INTEGER NOT NULL,
  account INTEGER NOT NULL,
  row TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS notices_of_pools ON notices (pool);
CREATE INDEX IF NOT EXISTS notices_of_accounts ON notices (account);
CREATE TABLE IF NOT EXISTS notices_read (
  user INTEGER NOT NULL,
  notice INTEGER NOT NULL,
  PRIMARY KEY (user, notice)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS readers_of_notices ON notices_read (notice);
CREATE TABLE IF NOT EXISTS notice_keys (
  key TEXT PRIMARY KEY,
  notice INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS keys_of_notices ON notice_keys (notice);
CREATE TABLE IF NOT EXISTS notices_to_send (
  channel TEXT NOT NULL,
  notice INTEGER NOT NULL,
  due INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  PRIMARY KEY (channel, notice)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS notices_go AFTER DELETE ON notices BEGIN
  DELETE FROM notices_read WHERE notice = old.seq;
  DELETE FROM notice_keys WHERE notice = old.seq;
END;

-- Sealed requests and answers of records, as JSON, where they are kept. A trigger that took them
-- with their record cost each record more than its deletion.
CREATE TABLE IF NOT EXISTS bodies (record INTEGER PRIMARY KEY, bodies TEXT NOT NULL);
DROP TRIGGER IF EXISTS bodies_go;

-- Whose the leases and charges of removed accounts are, by pool and platform (`nobodies.rs`):
-- ids below zero.
CREATE TABLE IF NOT EXISTS nobodies (
  id INTEGER PRIMARY KEY,
  pool INTEGER NOT NULL,
  platform TEXT NOT NULL
);

-- The platforms of open leases that had no such id when their account went: gone with them.
CREATE TABLE IF NOT EXISTS platforms_of_leases (row INTEGER PRIMARY KEY, platform TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS platforms_go AFTER DELETE ON leases WHEN old.account = 0
  BEGIN DELETE FROM platforms_of_leases WHERE row = old.row; END;

-- Accounts that are removed, while records or charges of theirs may still be there.
CREATE TABLE IF NOT EXISTS leaving (account INTEGER PRIMARY KEY);

-- When tokens were last used.
CREATE TABLE IF NOT EXISTS token_uses (token INTEGER PRIMARY KEY, at INTEGER NOT NULL);
