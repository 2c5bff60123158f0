-- From format 5.

-- Pools that teams share. A personal pool stands with its user.
CREATE TABLE IF NOT EXISTS teams (
  pool INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL
);

-- Who belongs to them; `row` is the membership as JSON, as its MAC covers it. NULL: not any
-- more, which reports of the team still want to know.
CREATE TABLE IF NOT EXISTS members (
  pool INTEGER NOT NULL,
  user INTEGER NOT NULL,
  row TEXT,
  PRIMARY KEY (pool, user)
) WITHOUT ROWID;
