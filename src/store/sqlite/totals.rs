//! Totals: counted with the charges and records of a commit, kept for good.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};

use crate::accounts::{
    AccountId, ChargeKind, Counts, PlatformId, Record, TokenId, Tokens, Total, TotalKey, UserId,
};

use super::super::{Answer, StoreError};
use super::books::{Charged, is_nobody};
use super::file::failure;
use super::load::get;
use super::rows;

/// The totals of a commit: each row is written once.
#[derive(Default)]
pub(super) struct Sums(BTreeMap<TotalKey, Sum>);

/// How many totals users' days have, asked of the file once: a day that is full is met by each
/// call that names another model.
#[derive(Default)]
pub(super) struct Days(HashMap<(UserId, Date), usize>);

/// So many days are remembered.
const MOST_DAYS: usize = 10_000;

#[derive(Default)]
struct Sum {
    counts: Counts,
    /// Estimates that were counted and that exact figures replace.
    replaced: Tokens,
}

impl Sums {
    /// Counts a record, without the ids of accounts that are gone.
    pub(super) fn record(&mut self, record: &Record, is_gone: impl Fn(AccountId) -> bool) {
        for Total { key, counts } in record.totals(is_gone) {
            self.0.entry(key).or_default().counts += counts;
        }
    }

    /// Counts a charge; a correction where its estimate was counted.
    pub(super) fn charge(&mut self, charged: &Charged) -> Answer<()> {
        let tokens = Tokens(charged.tokens.unsigned_abs());
        let (mut counts, mut replaced, mut at) = (Counts::default(), Tokens::ZERO, charged.at);
        match (charged.kind, charged.replaced) {
            (ChargeKind::Released, _) | (ChargeKind::Correction, None) => return Ok(()),
            (ChargeKind::Exact, _) => counts.exact = tokens,
            (ChargeKind::Estimated, _) => counts.estimated = tokens,
            (ChargeKind::Correction, Some((estimate, charged_at))) => {
                counts.exact = Tokens(estimate.0.saturating_add_signed(charged.tokens));
                (replaced, at) = (estimate, charged_at);
            }
        }
        let usage = &charged.usage;
        let key = TotalKey {
            day: TimeZone::UTC.to_datetime(rows::at("charge", at)?).date(),
            user: charged.user,
            token: usage.token,
            account: Some(charged.account).filter(|account| !is_nobody(*account)),
            platform: Some(usage.platform.clone()),
            model: usage.model.to_string(),
        };
        let sum = self.0.entry(key).or_default();
        sum.counts += counts;
        sum.replaced = Tokens(sum.replaced.0.saturating_add(replaced.0));
        Ok(())
    }

    pub(super) fn write(self, conn: &Connection, days: &mut Days) -> Answer<()> {
        self.0.iter().try_for_each(|(key, sum)| write(conn, days, key, sum)).map_err(failure)
    }
}

impl Days {
    /// Asks the file anew: a commit failed, or rows are gone.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }

    /// How many totals a key's day has.
    fn count(&mut self, conn: &Connection, key: &TotalKey) -> rusqlite::Result<&mut usize> {
        if self.0.len() >= MOST_DAYS {
            self.0.clear();
        }
        match self.0.entry((key.user, key.day)) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(asked) => {
                let count = "SELECT count(*) FROM totals WHERE user = ? AND day = ?";
                let count: i64 = conn
                    .prepare_cached(count)?
                    .query_row(params![key.user.0, key.day.to_string()], |row| row.get(0))?;
                Ok(asked.insert(usize::try_from(count).unwrap_or(usize::MAX)))
            }
        }
    }
}

fn write(conn: &Connection, days: &mut Days, key: &TotalKey, sum: &Sum) -> rusqlite::Result<()> {
    let counts = sum.counts.row().map(|count| Tokens(count).signed());
    let model = if has_room(conn, days, key)? { &key.model } else { TotalKey::OTHER };
    conn.prepare_cached(
        "INSERT INTO totals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET
           calls = calls + excluded.calls, attempts = attempts + excluded.attempts,
           input = input + excluded.input, cache_read = cache_read + excluded.cache_read,
           cache_write = cache_write + excluded.cache_write,
           output = output + excluded.output, reasoning = reasoning + excluded.reasoning,
           exact = exact + excluded.exact, estimated = estimated + excluded.estimated",
    )?
    .execute(params_from_iter(named(key, model).into_iter().chain(counts.map(Into::into))))?;
    take_back(conn, key, sum.replaced.signed())
}

/// Takes back estimates that were counted: where their model counts, or where all further ones
/// do. The day may have been full then, and have room now.
fn take_back(conn: &Connection, key: &TotalKey, mut estimated: i64) -> rusqlite::Result<()> {
    const ROW: &str = "user = ? AND day = ? AND token = ? AND account = ? AND platform = ?
                       AND model = ?";
    for model in [&*key.model, TotalKey::OTHER] {
        if estimated == 0 {
            break;
        }
        let counted = format!("SELECT estimated FROM totals WHERE {ROW}");
        let counted: Option<i64> = conn
            .prepare_cached(&counted)?
            .query_row(params_from_iter(named(key, model)), |row| row.get(0))
            .optional()?;
        let part = counted.unwrap_or_default().clamp(0, estimated);
        let take = format!("UPDATE totals SET estimated = estimated - ? WHERE {ROW}");
        let part_and_row = std::iter::once(part.into()).chain(named(key, model));
        conn.prepare_cached(&take)?.execute(params_from_iter(part_and_row))?;
        estimated -= part;
    }
    Ok(())
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

/// Whether a key has its row, or its day has room for one more.
fn has_room(conn: &Connection, days: &mut Days, key: &TotalKey) -> rusqlite::Result<bool> {
    let known = "SELECT 1 FROM totals WHERE user = ? AND day = ? AND token = ? AND account = ?
                 AND platform = ? AND model = ?";
    if conn.prepare_cached(known)?.exists(params_from_iter(named(key, &key.model)))? {
        return Ok(true);
    }
    let count = days.count(conn, key)?;
    let has_room = *count < TotalKey::MOST_A_DAY;
    *count += usize::from(has_room);
    Ok(has_room)
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
        // What an older version counted below nothing is nothing.
        *count = get::<i64>(row, column)?.max(0).unsigned_abs();
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
