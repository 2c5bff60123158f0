//! Totals: counted with the records of a commit, kept for good.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rusqlite::{Connection, Row, params, params_from_iter};

use crate::accounts::{
    AccountId, Counts, PlatformId, Record, TokenId, Tokens, Total, TotalKey, UserId,
};

use super::super::{Answer, StoreError};
use super::file::failure;
use super::load::get;

/// The totals of a commit: each row is written once.
#[derive(Default)]
pub(super) struct Sums(BTreeMap<TotalKey, Counts>);

impl Sums {
    pub(super) fn add(&mut self, record: &Record) {
        for Total { key, counts } in record.totals() {
            *self.0.entry(key).or_default() += counts;
        }
    }

    pub(super) fn write(self, conn: &Connection) -> Answer<()> {
        self.0.iter().try_for_each(|(key, counts)| write(conn, key, *counts)).map_err(failure)
    }
}

fn write(conn: &Connection, key: &TotalKey, counts: Counts) -> rusqlite::Result<()> {
    let model = if is_full(conn, key)? { TotalKey::OTHER } else { &key.model };
    conn.prepare_cached(
        "INSERT INTO totals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET
           calls = calls + excluded.calls, attempts = attempts + excluded.attempts,
           input = input + excluded.input, cache_read = cache_read + excluded.cache_read,
           cache_write = cache_write + excluded.cache_write,
           output = output + excluded.output, reasoning = reasoning + excluded.reasoning,
           exact = exact + excluded.exact, estimated = estimated + excluded.estimated",
    )?
    .execute(params_from_iter(
        named(key, model)
            .into_iter()
            .chain(counts.row().map(|count| Tokens(count).signed().into())),
    ))
    .map(drop)
}

/// A row's key as the table has it.
fn named(key: &TotalKey, model: &str) -> [rusqlite::types::Value; 6] {
    let account = key.account.map_or(0, |account| account.0);
    let platform = key.platform.as_ref().map_or("", PlatformId::as_str);
    [
        key.user.0.into(),
        key.day.to_string().into(),
        key.token.0.into(),
        account.into(),
        platform.to_owned().into(),
        model.to_owned().into(),
    ]
}

/// Whether a key is new to a day that has as many as it may.
fn is_full(conn: &Connection, key: &TotalKey) -> rusqlite::Result<bool> {
    let known = "SELECT 1 FROM totals WHERE user = ? AND day = ? AND token = ? AND account = ?
                 AND platform = ? AND model = ?";
    if conn.prepare_cached(known)?.exists(params_from_iter(named(key, &key.model)))? {
        return Ok(false);
    }
    let count = "SELECT count(*) FROM totals WHERE user = ? AND day = ?";
    let count: i64 = conn
        .prepare_cached(count)?
        .query_row(params![key.user.0, key.day.to_string()], |row| row.get(0))?;
    Ok(usize::try_from(count).is_ok_and(|count| count >= TotalKey::MOST_A_DAY))
}

/// A user's totals from a day to a day.
pub(super) fn read(conn: &Connection, user: UserId, first: Date, last: Date) -> Answer<Vec<Total>> {
    let mut find = conn
        .prepare_cached("SELECT * FROM totals WHERE user = ? AND day BETWEEN ? AND ?")
        .map_err(failure)?;
    let mut found =
        find.query(params![user.0, first.to_string(), last.to_string()]).map_err(failure)?;
    let mut totals = Vec::new();
    while let Some(row) = found.next().map_err(failure)? {
        totals.push(total(row)?);
    }
    totals.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(totals)
}

fn total(row: &Row<'_>) -> Answer<Total> {
    let bad = |why: String| StoreError::Corrupt { what: "total", why };
    let day: String = get(row, 1)?;
    let account: i64 = get(row, 3)?;
    let platform: String = get(row, 4)?;
    let mut counts = [0; 9];
    for (count, column) in counts.iter_mut().zip(6..) {
        *count = get::<i64>(row, column)?.unsigned_abs();
    }
    let key = TotalKey {
        user: UserId(get(row, 0)?),
        day: day.parse().map_err(|error: jiff::Error| bad(error.to_string()))?,
        token: TokenId(get(row, 2)?),
        account: (account != 0).then_some(AccountId(account)),
        platform: (!platform.is_empty()).then(|| platform.as_str().into()),
        model: get(row, 5)?,
    };
    Ok(Total { key, counts: Counts::of_row(counts) })
}
