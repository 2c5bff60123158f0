-- Tables that a file of this version may lack, because they came later.

-- The policies of pools that have one of their own.
CREATE TABLE IF NOT EXISTS policies (pool INTEGER PRIMARY KEY, policy TEXT NOT NULL);

-- Where accounts come in pools that go by priority.
CREATE TABLE IF NOT EXISTS priorities (account INTEGER PRIMARY KEY, priority INTEGER NOT NULL);
