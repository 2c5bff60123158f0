//! Reads records, which only the file holds.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::accounts::{AccountId, Points, Record, TokenId, Tokens, UserId};

use super::super::Answer;
use super::file::failure;
use super::load::get;
use super::rows;

/// A user's records, newest first, older than the one whose id is `before`.
pub(super) fn records(
    conn: &Connection,
    user: UserId,
    before: Option<&str>,
    limit: usize,
) -> Answer<Vec<Record>> {
    let Some(from) = number_of(conn, user, before)? else { return Ok(Vec::new()) };
    let sql = "SELECT records.*, bodies FROM records LEFT JOIN bodies ON record = seq
               WHERE user = ? AND seq < ? ORDER BY seq DESC LIMIT ?";
    page(conn, sql, params![user.0, from, most(limit)])
}

/// As [`records`], those alone that were tried on an account.
pub(super) fn records_on(
    conn: &Connection,
    user: UserId,
    account: AccountId,
    before: Option<&str>,
    limit: usize,
) -> Answer<Vec<Record>> {
    let Some(from) = number_of(conn, user, before)? else { return Ok(Vec::new()) };
    let sql = "SELECT r.*, b.bodies FROM records_of_accounts a JOIN records r ON r.seq = a.record
               LEFT JOIN bodies b ON b.record = r.seq
               WHERE a.account = ? AND a.record < ? AND r.user = ? ORDER BY a.record DESC LIMIT ?";
    page(conn, sql, params![account.0, from, user.0, most(limit)])
}

/// Before which row a page begins: the end of time without a cursor, none for a cursor that
/// is none.
fn number_of(conn: &Connection, user: UserId, before: Option<&str>) -> Answer<Option<i64>> {
    let Some(before) = before else { return Ok(Some(i64::MAX)) };
    // A walk through one user's rows; an index by id would cost every call a write.
    conn.prepare_cached("SELECT seq FROM records WHERE user = ? AND id = ? ORDER BY seq DESC")
        .and_then(|mut find| find.query_row(params![user.0, before], |row| row.get(0)).optional())
        .map_err(failure)
}

fn page(conn: &Connection, sql: &str, params: impl rusqlite::Params) -> Answer<Vec<Record>> {
    let mut find = conn.prepare_cached(sql).map_err(failure)?;
    let mut found = find.query(params).map_err(failure)?;
    let mut records = Vec::new();
    while let Some(row) = found.next().map_err(failure)? {
        records.push(record(row)?);
    }
    Ok(records)
}

fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
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
