//! How long rows are kept: so many days, and so many records an account.
//!
//! Deleting is spread out: an account that is a tenth past its bound loses its oldest records, old
//! rows go, and what a removed account had, each a slice with each commit until none is left: so
//! deleting keeps pace with adding, and no commit takes long.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension};

use crate::accounts::AccountId;

use super::super::{Answer, Keep};
use super::books::Ms;
use super::file::failure;
use super::lists::{self, List};
use super::unwritten::{RECORDS, counter};
use super::{charges, records, removal};

/// How many old rows of a table go with a commit: more than a batch adds.
const ROWS_A_TURN: usize = 5_000;
/// The same of records, each of which has to be taken out of its lists.
const RECORDS_A_TURN: usize = 500;

/// How soon what a removed account has is tried again where it could not be deleted. Until then
/// commits go without it: they are all the gateway's.
const LEAVE_AGAIN_MS: Ms = 60_000;

pub(super) struct Retention {
    keep: Keep,
    /// How many records a list has; asked of the file once.
    counts: HashMap<List, usize>,
    /// Lists that are too long.
    long: BTreeSet<List>,
    /// Tables in which rows from before a time may still lie.
    behind: Vec<(&'static str, Ms)>,
    /// Accounts that are leaving; `None` until the file is asked.
    leaving: Option<Vec<AccountId>>,
    /// The last row of charges that the first of them has none in.
    left_up_to: i64,
    /// When the file was last asked for them though nobody removed one.
    asked_at: Ms,
}

impl Retention {
    pub(super) fn new(keep: Keep) -> Self {
        Self {
            keep,
            counts: HashMap::new(),
            long: BTreeSet::new(),
            behind: Vec::new(),
            leaving: None,
            left_up_to: 0,
            asked_at: Ms::MIN,
        }
    }

    /// When an account leaves, all is asked anew.
    pub(super) fn reset(&mut self) {
        self.counts.clear();
        self.long.clear();
        self.leaving = None;
    }

    /// After a failed commit, too. It may have failed for an account that leaves, which then
    /// waits.
    pub(super) fn failed(&mut self) {
        self.reset();
        self.leaving = Some(Vec::new());
    }

    /// Accounts that leave and wait go on.
    pub(super) fn go_on(&mut self) {
        if self.leaving.as_ref().is_some_and(Vec::is_empty) {
            self.leaving = None;
        }
    }

    /// Counts records that were added to a list.
    pub(super) fn added(&mut self, conn: &Connection, list: List, count: usize) -> Answer<()> {
        if let List::User(_) = list {
            return Ok(());
        }
        let most = self.keep.records_an_account;
        let has = match self.counts.get(&list) {
            Some(before) => before.saturating_add(count),
            None => lists::count(conn, list)?,
        };
        self.counts.insert(list, has);
        if has >= most.saturating_add(most / 10 + 1) {
            self.long.insert(list);
        }
        Ok(())
    }

    fn deleted(&mut self, gone: &BTreeMap<List, Vec<i64>>) {
        for (list, numbers) in gone {
            if let Some(has) = self.counts.get_mut(list) {
                *has = has.saturating_sub(numbers.len());
            }
        }
    }

    /// Deletes a slice of the oldest records of lists that are past the bound: of all together,
    /// as accounts that share the load have every other record, and neighbours go as one.
    fn shorten(&mut self, conn: &Connection) -> Answer<()> {
        let each = RECORDS_A_TURN.checked_div(self.long.len()).unwrap_or_default().max(1);
        let (mut oldest, mut short) = (Vec::new(), Vec::new());
        for &list in &self.long {
            let has = self.counts.get(&list).copied().unwrap_or_default();
            let excess = has.saturating_sub(self.keep.records_an_account);
            oldest.extend(lists::oldest(conn, list, excess.min(each))?);
            if excess <= each {
                short.push(list);
            }
            if oldest.len() >= RECORDS_A_TURN {
                break;
            }
        }
        oldest.sort_unstable();
        oldest.dedup();
        self.deleted(&records::delete(conn, &oldest)?);
        short.iter().for_each(|list| _ = self.long.remove(list));
        Ok(())
    }

    /// Deletes a slice of what a removed account has.
    fn let_leave(&mut self, conn: &Connection) -> Answer<()> {
        let mut leaving = match self.leaving.take() {
            Some(leaving) => leaving,
            None => {
                self.left_up_to = 0;
                removal::leaving(conn)?
            }
        };
        if let Some(&account) = leaving.first() {
            let records = lists::oldest(conn, List::Account(account), RECORDS_A_TURN)?;
            if !records.is_empty() {
                self.deleted(&records::delete(conn, &records)?);
                // A list that has more than there is must end, too.
                lists::take_out(conn, List::Account(account), &records)?;
            } else if let Some(last) = charges::forget(conn, account, self.left_up_to)? {
                self.left_up_to = last;
            } else {
                removal::has_left(conn, account)?;
                leaving.remove(0);
                self.left_up_to = 0;
            }
        }
        self.leaving = Some(leaving);
        Ok(())
    }

    /// Lets old rows go from now on.
    pub(super) fn forget(&mut self, now: Ms) {
        if now >= self.asked_at.saturating_add(LEAVE_AGAIN_MS) {
            self.asked_at = now;
            self.go_on();
        }
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
        let is_leaving = self.leaving.as_ref().is_none_or(|leaving| !leaving.is_empty());
        !self.behind.is_empty() || !self.long.is_empty() || is_leaving
    }

    /// Deletes a slice of the rows that are too old or too many.
    pub(super) fn catch_up(&mut self, conn: &Connection) -> Answer<()> {
        self.shorten(conn)?;
        self.let_leave(conn)?;
        for (table, oldest) in std::mem::take(&mut self.behind) {
            let gone = self.forget_from(conn, table, oldest)?;
            if gone == rows_a_turn(table) {
                self.behind.push((table, oldest));
            }
        }
        Ok(())
    }

    /// Deletes from the front of a table whose rows lie in the order of time. The newest row
    /// stays, because row numbers and cursors may count on from it; so does a record in no list.
    fn forget_from(&mut self, conn: &Connection, table: &'static str, oldest: Ms) -> Answer<usize> {
        let first = format!("SELECT at FROM {table} ORDER BY seq LIMIT 1");
        let first = conn
            .prepare_cached(&first)
            .and_then(|mut find| find.query_row([], |row| row.get::<_, Ms>(0)).optional())
            .map_err(failure)?;
        if first.is_none_or(|at| at >= oldest) {
            return Ok(0);
        }
        if table == "records" {
            let old = records::old(conn, oldest, counter(conn, RECORDS)?, RECORDS_A_TURN)?;
            self.deleted(&records::delete(conn, &old)?);
            return Ok(old.len());
        }
        let old = format!(
            "SELECT seq FROM (SELECT seq, at FROM {table} ORDER BY seq LIMIT {})
         WHERE at < ? AND seq < (SELECT max(seq) FROM {table})",
            ROWS_A_TURN
        );
        conn.prepare_cached(&format!("DELETE FROM {table} WHERE seq IN ({old})"))
            .and_then(|mut delete| delete.execute([oldest]))
            .map_err(failure)
    }
}

fn rows_a_turn(table: &str) -> usize {
    match table {
        "records" => RECORDS_A_TURN,
        _ => ROWS_A_TURN,
    }
}
