//! How long rows are kept: so many days, and so many records a user.
//!
//! Deleting is spread out: a user's oldest records go a tenth of the bound at a time, old
//! rows ten thousand a minute.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, params};

use super::super::{Answer, Keep};
use super::books::Ms;
use super::file::failure;

/// How many old rows of a table go at a time.
const ROWS_A_TURN: usize = 10_000;

pub(super) struct Retention {
    keep: Keep,
    /// How many records a user has; asked of the file once.
    counts: HashMap<i64, usize>,
}

impl Retention {
    pub(super) fn new(keep: Keep) -> Self {
        Self { keep, counts: HashMap::new() }
    }

    /// After a failed commit the counts are asked anew.
    pub(super) fn reset(&mut self) {
        self.counts.clear();
    }

    /// Counts a record that was added, and deletes the user's oldest past the bound.
    pub(super) fn added(&mut self, conn: &Connection, user: i64) -> Answer<()> {
        let slack = self.keep.records_a_user / 10 + 1;
        let Some(count) = self.counts.get_mut(&user) else {
            let mut count = conn
                .prepare_cached("SELECT count(*) FROM records WHERE user = ?")
                .map_err(failure)?;
            let now = count.query_row([user], |row| row.get::<_, i64>(0)).map_err(failure)?;
            self.counts.insert(user, usize::try_from(now).unwrap_or_default());
            return Ok(());
        };
        *count += 1;
        if *count >= self.keep.records_a_user + slack {
            let excess = *count - self.keep.records_a_user;
            *count = self.keep.records_a_user;
            conn.prepare_cached(
                "DELETE FROM records WHERE seq IN (
                   SELECT seq FROM records WHERE user = ? ORDER BY seq LIMIT ?)",
            )
            .and_then(|mut statement| {
                statement.execute(params![user, i64::try_from(excess).unwrap_or(0)])
            })
            .map_err(failure)?;
        }
        Ok(())
    }

    /// Deletes some of what is too old.
    pub(super) fn forget(&mut self, conn: &Connection, now: Ms) -> Answer<()> {
        let now = Timestamp::from_millisecond(now).unwrap_or(Timestamp::MAX);
        let age = SignedDuration::try_from(self.keep.age).unwrap_or(SignedDuration::MAX);
        let oldest = now.saturating_sub(age).map_or(0, Timestamp::as_millisecond);
        if forget_from(conn, "records", oldest).map_err(failure)? > 0 {
            self.counts.clear();
        }
        forget_from(conn, "charges", oldest).map_err(failure)?;
        Ok(())
    }
}

/// Deletes from the front of a table whose rows lie in the order of time. The newest row
/// stays, because row numbers and cursors count on from it.
fn forget_from(conn: &Connection, table: &'static str, oldest: Ms) -> rusqlite::Result<usize> {
    let sql = format!(
        "DELETE FROM {table} WHERE seq IN (
           SELECT seq FROM (SELECT seq, at FROM {table} ORDER BY seq LIMIT {ROWS_A_TURN})
           WHERE at < ? AND seq < (SELECT max(seq) FROM {table}))"
    );
    conn.prepare_cached(&sql)?.execute([oldest])
}
