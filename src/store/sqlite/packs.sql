-- What version 8 has other than those before it.

-- In the order they came, whoever's they are, a page of them a row (`records.rs`): `seq` is the last
-- one's number, `at` the latest one's time.
CREATE TABLE records (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, lines BLOB NOT NULL);
