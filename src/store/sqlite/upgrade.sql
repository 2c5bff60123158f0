-- From version 3. What a deadline charged was not in the totals: its late figure would correct
-- what was never counted, and the process that might have brought it is gone.
ALTER TABLE leases ADD COLUMN token INTEGER NOT NULL DEFAULT 0;
ALTER TABLE leases ADD COLUMN model TEXT NOT NULL DEFAULT '';
ALTER TABLE charges ADD COLUMN token INTEGER NOT NULL DEFAULT 0;
ALTER TABLE charges ADD COLUMN model TEXT NOT NULL DEFAULT '';
UPDATE charges SET windows = NULL WHERE windows IS NOT NULL;
-- The first files of version 3 had none.
CREATE INDEX IF NOT EXISTS accounts_of_records ON records_of_accounts (record);
