//! Reads what only the file holds: records and charges.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::accounts::{
    AccountId, ChargeRow, PlatformId, Points, PoolId, Record, TokenId, Tokens, UserId,
};

use super::super::{Answer, StoreError};
use super::file::failure;
use super::load::{get, lease_id};
use super::rows;

/// A user's records, newest first, older than the one whose id is `before`.
pub(super) fn records(
    conn: &Connection,
    user: UserId,
    before: Option<&str>,
    limit: usize,
) -> Answer<Vec<Record>> {
    // Without a cursor: before the end of time.
    let mut from = i64::MAX;
    if let Some(before) = before {
        // A walk through one user's rows; an index by id would cost every call a write.
        let found = conn
            .prepare_cached("SELECT seq FROM records WHERE user = ? AND id = ? ORDER BY seq DESC")
            .and_then(|mut find| {
                find.query_row(params![user.0, before], |row| row.get(0)).optional()
            })
            .map_err(failure)?;
        let Some(seq) = found else { return Ok(Vec::new()) };
        from = seq;
    }
    let mut find = conn
        .prepare_cached(
            "SELECT records.*, bodies FROM records LEFT JOIN bodies ON record = seq
             WHERE user = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
        )
        .map_err(failure)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = find.query(params![user.0, from, limit]).map_err(failure)?;
    let mut records = Vec::new();
    while let Some(row) = found.next().map_err(failure)? {
        records.push(record(row)?);
    }
    Ok(records)
}

fn record(row: &Row<'_>) -> Answer<Record> {
    Ok(Record {
        user: UserId(get(row, 1)?),
        at: rows::at("record", get(row, 2)?)?,
        id: get(row, 3)?,
        token: TokenId(get(row, 4)?),
        model: get(row, 5)?,
        streamed: get(row, 6)?,
        input: Tokens(count(row, 7)?),
        cache_read: Tokens(count(row, 8)?),
        cache_write: Tokens(count(row, 9)?),
        output: Tokens(count(row, 10)?),
        reasoning: Tokens(count(row, 11)?),
        estimated: get(row, 12)?,
        took_ms: count(row, 13)?,
        first_byte_ms: get::<Option<i64>>(row, 14)?.map(i64::unsigned_abs),
        billing: rows::billing(&get::<String>(row, 15)?)?,
        points: Points(get(row, 16)?),
        outcome: get(row, 17)?,
        attempts: rows::json("record", &get::<String>(row, 18)?)?,
        bodies: get::<Option<String>>(row, 19)?
            .map(|json| rows::json("bodies", &json))
            .transpose()?,
    })
}

fn count(row: &Row<'_>, column: usize) -> Answer<u64> {
    get::<i64>(row, column).map(i64::unsigned_abs)
}

/// A family's charges, oldest first, after a cursor.
pub(super) fn charges(
    conn: &Connection,
    pool: PoolId,
    platform: &PlatformId,
    after: Option<&str>,
    limit: usize,
) -> Answer<Vec<ChargeRow>> {
    let after: i64 = match after {
        None => 0,
        Some(cursor) => cursor
            .parse()
            .map_err(|_| StoreError::Corrupt { what: "cursor", why: "it is no number".into() })?,
    };
    let mut find = conn
        .prepare_cached(
            "SELECT seq, lease, account, user, kind, tokens, at FROM charges
             WHERE seq > ? AND account IN (
               SELECT id FROM accounts WHERE pool = ? AND platform = ?)
             ORDER BY seq LIMIT ?",
        )
        .map_err(failure)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let params = params![after, pool.0, platform.as_str(), limit];
    let mut found = find.query(params).map_err(failure)?;
    let mut charges = Vec::new();
    while let Some(row) = found.next().map_err(failure)? {
        charges.push(ChargeRow {
            cursor: get::<i64>(row, 0)?.to_string(),
            lease: lease_id(row, 1)?,
            account: AccountId(get(row, 2)?),
            user: UserId(get(row, 3)?),
            kind: rows::kind(get(row, 4)?)?,
            tokens: get(row, 5)?,
            at: rows::at("charge", get(row, 6)?)?,
        });
    }
    Ok(charges)
}
