//! How long rows are kept: so many days, and so many records a user.
//!
//! Deleting is spread out: a user's oldest records go a tenth of the bound at a time,
//! old rows a few users a minute, old charges a slice with each commit until none is left:
//! so deleting keeps pace with adding. The newest charge stays, because cursors count on.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::super::{Answer, Keep};
use super::books::Ms;
use super::file::failure;

/// How many users' old records go at a time.
const USERS_A_TURN: i64 = 100;

/// How many old charges go with a commit: more than a batch adds.
const CHARGES_A_TURN: usize = 5_000;

pub(super) struct Retention {
    keep: Keep,
    /// How many records a user has; asked of the file once.
    counts: HashMap<i64, usize>,
    last_user: i64,
    /// Charges from before then may still lie there.
    charges_before: Option<Ms>,
}

impl Retention {
    pub(super) fn new(keep: Keep) -> Self {
        Self { keep, counts: HashMap::new(), last_user: 0, charges_before: None }
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
        if *count >= self.keep.records_a_user.saturating_add(slack) {
            let excess = *count - self.keep.records_a_user;
            *count = self.keep.records_a_user;
            conn.prepare_cached(
                "DELETE FROM records WHERE user = ?1 AND (at, id) <= (
                   SELECT at, id FROM records WHERE user = ?1
                   ORDER BY at, id LIMIT 1 OFFSET ?2)",
            )
            .and_then(|mut statement| {
                statement.execute(params![user, i64::try_from(excess - 1).unwrap_or(0)])
            })
            .map_err(failure)?;
        }
        Ok(())
    }

    /// Deletes some of the records that are too old, and lets old charges go from now on.
    pub(super) fn forget(&mut self, conn: &Connection, now: Ms) -> Answer<()> {
        let now = Timestamp::from_millisecond(now).unwrap_or(Timestamp::MAX);
        let age = SignedDuration::try_from(self.keep.age).unwrap_or(SignedDuration::MAX);
        let oldest = now.saturating_sub(age).map_or(0, Timestamp::as_millisecond);
        self.charges_before = Some(oldest);
        self.records_before(conn, oldest).map_err(failure)
    }

    /// Whether charges are waiting to go.
    pub(super) fn is_behind(&self) -> bool {
        self.charges_before.is_some()
    }

    /// Deletes a slice of the charges that are too old.
    pub(super) fn catch_up(&mut self, conn: &Connection) -> Answer<()> {
        let Some(oldest) = self.charges_before else { return Ok(()) };
        let mut delete = conn
            .prepare_cached(
                "DELETE FROM charges WHERE seq IN (
                   SELECT seq FROM (SELECT seq, at FROM charges ORDER BY seq LIMIT ?2)
                   WHERE at < ?1 AND seq < (SELECT max(seq) FROM charges))",
            )
            .map_err(failure)?;
        let slice = i64::try_from(CHARGES_A_TURN).unwrap_or(i64::MAX);
        if delete.execute(params![oldest, slice]).map_err(failure)? < CHARGES_A_TURN {
            self.charges_before = None;
        }
        Ok(())
    }

    fn records_before(&mut self, conn: &Connection, oldest: Ms) -> rusqlite::Result<()> {
        let mut next = conn.prepare_cached("SELECT min(id) FROM users WHERE id > ?")?;
        let mut delete = conn.prepare_cached("DELETE FROM records WHERE user = ? AND at < ?")?;
        for _ in 0..USERS_A_TURN {
            let user = next.query_row([self.last_user], |row| row.get::<_, Option<i64>>(0));
            let Some(user) = user.optional()?.flatten() else {
                self.last_user = 0;
                return Ok(());
            };
            self.last_user = user;
            if delete.execute(params![user, oldest])? > 0 {
                self.counts.remove(&user);
            }
        }
        Ok(())
    }
}
