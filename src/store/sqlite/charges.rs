//! Charges in the file: kept for days, listed by the books' auditors, gone with their account.
//!
//! They are many and are hardly ever read, so a row holds a pack of them, numbered on from one
//! row to the next. The row's own number is its last charge's: what comes after a cursor begins
//! in the first row past it.

use std::collections::HashSet;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use crate::accounts::{AccountId, ChargeRow, LeaseId, PlatformId, PoolId, UserId};

use super::super::{Answer, StoreError};
use super::books::{Charged, Ms};
use super::file::failure;
use super::journal::{pack, packed};
use super::load::get;
use super::rows;

/// How many charges a row holds at most: two rows to a page.
const A_ROW: usize = 64;
/// How many rows are looked at together when an account goes.
const A_SLICE: u32 = 200;

/// A row goes when its last charge is too old: its others are of the same minute.
const SPAN_MS: Ms = 60_000;

/// A charge in its row.
#[derive(Serialize, Deserialize)]
pub(super) struct Packed {
    pub(super) number: i64,
    pub(super) lease: [u8; 16],
    pub(super) account: i64,
    pub(super) user: i64,
    pub(super) kind: i64,
    pub(super) tokens: i64,
    pub(super) at: Ms,
}

impl Packed {
    pub(super) fn new(number: i64, charged: &Charged) -> Self {
        Self {
            number,
            lease: charged.lease.0.to_be_bytes(),
            account: charged.account.0,
            user: charged.user.0,
            kind: rows::kind_number(charged.kind),
            tokens: charged.tokens,
            at: charged.at,
        }
    }

    /// Whether another one may lie in the same row.
    pub(super) fn is_near(&self, other: &Self) -> bool {
        self.at.div_euclid(SPAN_MS) == other.at.div_euclid(SPAN_MS)
    }

    fn row(self) -> Answer<ChargeRow> {
        Ok(ChargeRow {
            cursor: self.number.to_string(),
            lease: LeaseId(u128::from_be_bytes(self.lease)),
            account: AccountId(self.account).max(AccountId::OPERATOR),
            user: UserId(self.user),
            kind: rows::kind(self.kind)?,
            tokens: self.tokens,
            at: rows::at("charge", self.at)?,
        })
    }
}

/// Writes charges, ascending.
pub(super) fn write(conn: &Connection, charges: &[Packed]) -> Answer<()> {
    for of_a_minute in charges.chunk_by(Packed::is_near) {
        for some in of_a_minute.chunks(A_ROW) {
            if let Some(last) = some.last() {
                put(conn, last.number, last.at, some)?;
            }
        }
    }
    Ok(())
}

fn put(conn: &Connection, number: i64, at: Ms, charges: &[Packed]) -> Answer<()> {
    let mut lines = Vec::with_capacity(charges.len() * 40);
    for charge in charges {
        lines = pack("charges", lines, charge)?;
    }
    conn.prepare_cached("INSERT OR REPLACE INTO charges VALUES (?, ?, ?)")
        .and_then(|mut put| put.execute(params![number, at, lines]))
        .map(drop)
        .map_err(failure)
}

/// A family's charges, oldest first, after a cursor.
pub(super) fn page(
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
    let accounts: HashSet<i64> = conn
        .prepare_cached(
            "SELECT id FROM accounts WHERE pool = ?1 AND platform = ?2
             UNION ALL SELECT id FROM nobodies WHERE pool = ?1 AND platform = ?2",
        )
        .and_then(|mut find| {
            let ids = find.query_map(params![pool.0, platform.as_str()], |row| row.get(0))?;
            ids.collect()
        })
        .map_err(failure)?;
    let mut page = Vec::new();
    let mut find = conn
        .prepare_cached("SELECT lines FROM charges WHERE seq > ? ORDER BY seq")
        .map_err(failure)?;
    let mut found = find.query([after]).map_err(failure)?;
    while page.len() < limit
        && let Some(row) = found.next().map_err(failure)?
    {
        let lines: Vec<u8> = get(row, 0)?;
        packed("charges", &lines, |charge: Packed| {
            if charge.number > after && accounts.contains(&charge.account) && page.len() < limit {
                page.push(charge.row()?);
            }
            Ok(())
        })?;
    }
    Ok(page)
}

/// Takes an account's charges out of a slice of the rows after one: nearly each may have some.
/// Answers the slice's last row; `None`: there was none.
pub(super) fn forget(conn: &Connection, account: AccountId, after: i64) -> Answer<Option<i64>> {
    let rows = rows_after(conn, after)?;
    let last = rows.last().map(|(number, ..)| *number);
    for (number, at, lines) in rows {
        forget_in(conn, account, number, at, &lines)?;
    }
    Ok(last)
}

/// The next rows, a slice of them, with their last charge's number and time.
fn rows_after(conn: &Connection, after: i64) -> Answer<Vec<(i64, Ms, Vec<u8>)>> {
    conn.prepare_cached("SELECT seq, at, lines FROM charges WHERE seq > ? ORDER BY seq LIMIT ?")
        .and_then(|mut find| {
            let rows = find.query_map(params![after, A_SLICE], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
            rows.collect()
        })
        .map_err(failure)
}

fn forget_in(
    conn: &Connection,
    account: AccountId,
    number: i64,
    at: Ms,
    lines: &[u8],
) -> Answer<()> {
    let (mut others, mut had) = (Vec::new(), false);
    packed("charges", lines, |charge: Packed| {
        match charge.account == account.0 {
            true => had = true,
            false => others.push(charge),
        }
        Ok(())
    })?;
    if !had {
        return Ok(());
    }
    if !others.is_empty() {
        return put(conn, number, at, &others);
    }
    conn.prepare_cached("DELETE FROM charges WHERE seq = ?")
        .and_then(|mut delete| delete.execute([number]))
        .map(drop)
        .map_err(failure)
}
