//! Which records a user has, and which were tried on an account: numbers in packs.
//!
//! An index would cost each record two searches and, of every commit, pages of its own. The
//! fold adds what came since the last one as one row for each list that it touches. A row's key
//! ends in its last number, so those before a record begin in the first row at or past it.

use std::ops::ControlFlow;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::accounts::{AccountId, UserId};

use super::super::Answer;
use super::file::failure;
use super::journal::{pack, packed};
use super::load::get;

/// How many numbers a row holds at most: longer ones would not lie in a page of the tree.
const A_ROW: usize = 400;

/// One list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum List {
    /// A user's records.
    User(UserId),
    /// Records of calls that were tried on an account.
    Account(AccountId),
    /// A user's records of calls that were tried on none.
    Nowhere(UserId),
}

impl List {
    fn key(self) -> (i64, i64) {
        match self {
            Self::User(user) => (0, user.0),
            Self::Account(account) => (1, account.0),
            Self::Nowhere(user) => (2, user.0),
        }
    }
}

/// Adds numbers, ascending, that are greater than all that the list has.
pub(super) fn add(conn: &Connection, list: List, numbers: &[i64]) -> Answer<()> {
    for some in numbers.chunks(A_ROW) {
        put(conn, list, some.last().copied().unwrap_or_default(), some)?;
    }
    Ok(())
}

fn put(conn: &Connection, list: List, last: i64, numbers: &[i64]) -> Answer<()> {
    let (mut lines, mut before) = (Vec::with_capacity(numbers.len() + 8), 0);
    for number in numbers {
        lines = pack("list", lines, &(number - before))?;
        before = *number;
    }
    let (kind, owner) = list.key();
    let count = i64::try_from(numbers.len()).unwrap_or(i64::MAX);
    conn.prepare_cached("INSERT OR REPLACE INTO lists VALUES (?, ?, ?, ?, ?)")
        .and_then(|mut put| put.execute(params![kind, owner, last, count, lines]))
        .map(drop)
        .map_err(failure)
}

fn numbers(lines: &[u8]) -> Answer<Vec<i64>> {
    let (mut numbers, mut last) = (Vec::new(), 0);
    packed("list", lines, |step: i64| {
        last += step;
        numbers.push(last);
        Ok(())
    })?;
    Ok(numbers)
}

/// Walks a list's numbers below one, newest first.
pub(super) fn walk_back(
    conn: &Connection,
    list: List,
    below: i64,
    mut take: impl FnMut(i64) -> Answer<ControlFlow<()>>,
) -> Answer<()> {
    let (kind, owner) = list.key();
    // The row that `below` lies in, and all before it.
    let mut first = conn
        .prepare_cached("SELECT min(last) FROM lists WHERE kind = ? AND owner = ? AND last >= ?")
        .map_err(failure)?;
    let first: Option<i64> =
        first.query_row([kind, owner, below], |row| row.get(0)).map_err(failure)?;
    let mut find = conn
        .prepare_cached(
            "SELECT numbers FROM lists WHERE kind = ? AND owner = ? AND last <= ?
             ORDER BY last DESC",
        )
        .map_err(failure)?;
    let mut found = find.query([kind, owner, first.unwrap_or(i64::MAX)]).map_err(failure)?;
    while let Some(row) = found.next().map_err(failure)? {
        let numbers = numbers(&get::<Vec<u8>>(row, 0)?)?;
        for number in numbers.into_iter().rev().filter(|number| *number < below) {
            if take(number)?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A list's oldest numbers, so many at most, ascending.
pub(super) fn oldest(conn: &Connection, list: List, most: usize) -> Answer<Vec<i64>> {
    let (kind, owner) = list.key();
    let mut find = conn
        .prepare_cached("SELECT numbers FROM lists WHERE kind = ? AND owner = ? ORDER BY last")
        .map_err(failure)?;
    let mut found = find.query([kind, owner]).map_err(failure)?;
    let mut oldest = Vec::new();
    while oldest.len() < most
        && let Some(row) = found.next().map_err(failure)?
    {
        oldest.extend(numbers(&get::<Vec<u8>>(row, 0)?)?);
    }
    oldest.truncate(most);
    Ok(oldest)
}

/// How many numbers a list has.
pub(super) fn count(conn: &Connection, list: List) -> Answer<usize> {
    let (kind, owner) = list.key();
    let count: i64 = conn
        .prepare_cached("SELECT coalesce(sum(count), 0) FROM lists WHERE kind = ? AND owner = ?")
        .and_then(|mut count| count.query_row([kind, owner], |row| row.get(0)))
        .map_err(failure)?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// Takes out numbers, ascending.
pub(super) fn take_out(conn: &Connection, list: List, mut gone: &[i64]) -> Answer<()> {
    let (kind, owner) = list.key();
    while let [first, ..] = gone {
        let row: Option<(i64, Vec<u8>)> = conn
            .prepare_cached(
                "SELECT last, numbers FROM lists WHERE kind = ? AND owner = ? AND last >= ?
                 ORDER BY last LIMIT 1",
            )
            .and_then(|mut find| {
                find.query_row([kind, owner, *first], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()
            })
            .map_err(failure)?;
        let Some((last, lines)) = row else { break };
        let (here, further) = gone.split_at(gone.partition_point(|number| *number <= last));
        let mut left = numbers(&lines)?;
        left.retain(|number| here.binary_search(number).is_err());
        if left.is_empty() {
            conn.prepare_cached("DELETE FROM lists WHERE kind = ? AND owner = ? AND last = ?")
                .and_then(|mut delete| delete.execute([kind, owner, last]))
                .map_err(failure)?;
        } else {
            put(conn, list, last, &left)?;
        }
        gone = further;
    }
    Ok(())
}
