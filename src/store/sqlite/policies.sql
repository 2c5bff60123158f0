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

-- Sealed requests and answers of records, as JSON, where they are kept: gone with their record.
CREATE TABLE IF NOT EXISTS bodies (record INTEGER PRIMARY KEY, bodies TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS bodies_go AFTER DELETE ON records
  BEGIN DELETE FROM bodies WHERE record = old.seq; END;
CREATE TRIGGER IF NOT EXISTS bodies_are_forgotten AFTER UPDATE ON records
  BEGIN DELETE FROM bodies WHERE record = old.seq; END;
