//! How long rows are kept: so many days, and so many records an account.
//!
//! Deleting is spread out: an account's oldest records go a tenth of the bound at a time, old
//! rows a slice with each commit until none is left: so deleting keeps pace with adding.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::super::{Answer, Keep};
use super::books::Ms;
use super::file::failure;

/// How many old rows of a table go with a commit: more than a batch adds.
const ROWS_A_TURN: usize = 5_000;

pub(super) struct Retention {
    keep: Keep,
    /// How many records an account has; asked of the file once.
    counts: HashMap<i64, usize>,
    /// Tables in which rows from before a time may still lie.
    behind: Vec<(&'static str, Ms)>,
}

impl Retention {
    pub(super) fn new(keep: Keep) -> Self {
        Self { keep, counts: HashMap::new(), behind: Vec::new() }
    }

    /// After a failed commit, or when rows are gone, the counts are asked anew.
    pub(super) fn reset(&mut self) {
        self.counts.clear();
    }

    /// Counts a record that was added, and deletes the account's oldest past the bound.
    pub(super) fn added(&mut self, conn: &Connection, account: i64) -> Answer<()> {
        let most = self.keep.records_an_account;
        let Some(count) = self.counts.get_mut(&account) else {
            let mut count = conn
                .prepare_cached("SELECT count(*) FROM records_of_accounts WHERE account = ?")
                .map_err(failure)?;
            let now = count.query_row([account], |row| row.get::<_, i64>(0)).map_err(failure)?;
            self.counts.insert(account, usize::try_from(now).unwrap_or_default());
            return Ok(());
        };
        *count += 1;
        if *count >= most.saturating_add(most / 10 + 1) {
            let excess = i64::try_from(*count - most).unwrap_or(0);
            drop_oldest(conn, account, excess).map_err(failure)?;
            // Those that were tried on other accounts too are gone from these as well.
            self.counts.clear();
        }
        Ok(())
    }

    /// Lets old rows go from now on.
    pub(super) fn forget(&mut self, now: Ms) {
        let now = Timestamp::from_millisecond(now).unwrap_or(Timestamp::MAX);
        let before = |age| {
            let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
            now.saturating_sub(age).map_or(0, Timestamp::as_millisecond)
        };
        let (oldest, audit) = (before(self.keep.age), before(self.keep.audit));
        self.behind =
            vec![("records", oldest), ("charges", oldest), ("audit", audit), ("notices", audit)];
    }

    /// Whether rows are waiting to go.
    pub(super) fn is_behind(&self) -> bool {
        !self.behind.is_empty()
    }

    /// Deletes a slice of the rows that are too old.
    pub(super) fn catch_up(&mut self, conn: &Connection) -> Answer<()> {
        for (table, oldest) in std::mem::take(&mut self.behind) {
            let gone = forget_from(conn, table, oldest).map_err(failure)?;
            if gone > 0 && table == "records" {
                // Whose they were is not known; the counts are asked anew.
                self.counts.clear();
            }
            if gone == ROWS_A_TURN {
                self.behind.push((table, oldest));
            }
        }
        Ok(())
    }
}

/// Deletes an account's oldest records; the newest of all stays.
fn drop_oldest(conn: &Connection, account: i64, excess: i64) -> rusqlite::Result<()> {
    let oldest = "SELECT record FROM records_of_accounts WHERE account = ?1
                  AND record < (SELECT max(seq) FROM records) ORDER BY record LIMIT ?2";
    unlist(conn, oldest, params![account, excess]).map(drop)
}

/// Deletes the records that a query names, and where they are listed.
fn unlist(
    conn: &Connection,
    named: &str,
    params: impl rusqlite::Params,
) -> rusqlite::Result<usize> {
    let gone = conn
        .prepare_cached(named)?
        .query_map(params, |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    let count = gone.len();
    let mut unlist = conn.prepare_cached("DELETE FROM records_of_accounts WHERE record = ?")?;
    let mut delete = conn.prepare_cached("DELETE FROM records WHERE seq = ?")?;
    for record in gone {
        unlist.execute([record])?;
        delete.execute([record])?;
    }
    Ok(count)
}

/// Deletes from the front of a table whose rows lie in the order of time. The newest row
/// stays, because row numbers and cursors count on from it.
fn forget_from(conn: &Connection, table: &'static str, oldest: Ms) -> rusqlite::Result<usize> {
    let first = format!("SELECT at FROM {table} ORDER BY seq LIMIT 1");
    let first = conn.prepare_cached(&first)?.query_row([], |row| row.get::<_, Ms>(0)).optional()?;
    if first.is_none_or(|at| at >= oldest) {
        return Ok(0);
    }
    let old = format!(
        "SELECT seq FROM (SELECT seq, at FROM {table} ORDER BY seq LIMIT {ROWS_A_TURN})
         WHERE at < ? AND seq < (SELECT max(seq) FROM {table})"
    );
    if table == "records" {
        return unlist(conn, &old, [oldest]);
    }
    conn.prepare_cached(&format!("DELETE FROM {table} WHERE seq IN ({old})"))?.execute([oldest])
}
