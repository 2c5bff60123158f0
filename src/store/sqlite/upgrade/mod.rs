//! Brings files of older versions up to date.
//!
//! Before version 6 each lease and each charge was a row. Before 7 each record was listed where
//! it was written, and totals were counted with each charge and record. Before 8 each record was a
//! row, and each fold emptied the journal.

mod charges;
mod records;

use jiff::Timestamp;
use rusqlite::Connection;

use crate::accounts::Policy;

use super::super::Answer;
use super::books::{Books, Folding};
use super::file::failure;
use super::load;
use super::retention::Retention;
use super::statements::Statements;
use super::unwritten::Unwritten;

/// Brings a file of an older version up to date, in the caller's transaction.
pub(super) fn bring(conn: &Connection, version: i64, now: Timestamp) -> Answer<()> {
    let run = |sql| conn.execute_batch(sql).map_err(failure);
    if version == 3 {
        run(include_str!("../upgrade.sql"))?;
    }
    if version < 6 {
        run("ALTER TABLE charges RENAME TO old_charges")?;
        run(include_str!("../journal.sql"))?;
    } else {
        run("ALTER TABLE journal ADD COLUMN fold INTEGER NOT NULL DEFAULT 0")?;
    }
    run("ALTER TABLE records RENAME TO old_records")?;
    run(include_str!("../packs.sql"))?;
    if version == 7 {
        records::take_over_rows(conn)?;
        return run("DROP TABLE old_records");
    }
    run(include_str!("../records.sql"))?;
    let mut books = Books::new(Policy::default());
    load::accounts(conn, &mut books, now)?;
    load::estimates(conn, &mut books)?;
    load::leases(conn, &mut books, now)?;
    if version < 6 {
        charges::replay(conn, &mut books, now)?;
        charges::take_over(conn)?;
        run("DROP TABLE old_charges; DELETE FROM counters WHERE name = 'folded'")?;
    } else {
        load::replay(conn, &mut books, now)?;
    }
    records::take_over(conn)?;
    // With `old_records` go its triggers.
    run("INSERT OR REPLACE INTO counters SELECT 'charges', coalesce(max(seq), 0) FROM charges;
         INSERT OR REPLACE INTO counters SELECT 'records', coalesce(max(seq), 0) FROM old_records;
         DROP TABLE old_records; DROP TABLE records_of_accounts")?;
    let mut unwritten = Unwritten::load_counted(conn)?;
    match books.take_notes(Folding::Now, Vec::new()).fold {
        Some(fold) => {
            let mut retention = Retention::new(Default::default());
            Statements::prepare(conn)?.fold(&fold, &mut unwritten, &mut retention)
        }
        None => Ok(()),
    }
}
