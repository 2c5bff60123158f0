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
use super::journal::{Line, pack, packed, walk};
use super::load::{each, get};
use super::rows;

/// How many charges a row holds at most: two rows to a page.
const A_ROW: usize = 64;

/// A row goes when its last charge is too old: its others are of the same minute.
const SPAN_MS: Ms = 60_000;

/// A charge in its row.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Packed {
    number: i64,
    lease: [u8; 16],
    account: i64,
    user: i64,
    kind: i64,
    tokens: i64,
    at: Ms,
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
    fn is_near(&self, other: &Self) -> bool {
        self.at.div_euclid(SPAN_MS) == other.at.div_euclid(SPAN_MS)
    }

    fn row(self) -> Answer<ChargeRow> {
        Ok(ChargeRow {
            cursor: self.number.to_string(),
            lease: LeaseId(u128::from_be_bytes(self.lease)),
            account: AccountId(self.account),
            user: UserId(self.user),
            kind: rows::kind(self.kind)?,
            tokens: self.tokens,
            at: rows::at("charge", self.at)?,
        })
    }
}

/// Charges that the journal has and no row holds yet.
pub(super) struct Unwritten {
    charges: Vec<Packed>,
    /// The last number given.
    last: i64,
}

impl Unwritten {
    /// Reads what follows from the file.
    pub(super) fn load(conn: &Connection) -> Answer<Self> {
        let last = "SELECT coalesce(max(seq), 0) FROM charges";
        let last = conn.query_row(last, [], |row| row.get(0)).map_err(failure)?;
        let mut unwritten = Self { charges: Vec::new(), last };
        walk(conn, |line| {
            if let Line::Charged(line) = line {
                unwritten.add(&line.read()?);
            }
            Ok(())
        })?;
        Ok(unwritten)
    }

    pub(super) fn add(&mut self, charged: &Charged) {
        self.last += 1;
        self.charges.push(Packed::new(self.last, charged));
    }

    /// Writes them into rows.
    pub(super) fn write(&mut self, conn: &Connection) -> Answer<()> {
        for of_a_minute in self.charges.chunk_by(Packed::is_near) {
            of_a_minute.chunks(A_ROW).try_for_each(|some| write(conn, some))?;
        }
        self.charges.clear();
        Ok(())
    }
}

/// Writes a row of charges, ascending.
fn write(conn: &Connection, charges: &[Packed]) -> Answer<()> {
    let Some(last) = charges.last() else { return Ok(()) };
    put(conn, last.number, last.at, charges)
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
        .prepare_cached("SELECT id FROM accounts WHERE pool = ? AND platform = ?")
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

/// Takes out an account's charges. The newest row stays, though it be empty, because numbers
/// count on from it.
pub(super) fn forget(conn: &Connection, account: AccountId) -> Answer<()> {
    let newest: Option<i64> =
        conn.query_row("SELECT max(seq) FROM charges", [], |row| row.get(0)).map_err(failure)?;
    let mut left: Vec<(i64, Ms, Vec<Packed>)> = Vec::new();
    each(conn, "SELECT seq, at, lines FROM charges", |row| {
        let (mut others, mut had) = (Vec::new(), false);
        packed("charges", &get::<Vec<u8>>(row, 2)?, |charge: Packed| {
            match charge.account == account.0 {
                true => had = true,
                false => others.push(charge),
            }
            Ok(())
        })?;
        if had {
            left.push((get(row, 0)?, get(row, 1)?, others));
        }
        Ok(())
    })?;
    for (number, at, others) in left {
        if others.is_empty() && newest != Some(number) {
            conn.prepare_cached("DELETE FROM charges WHERE seq = ?")
                .and_then(|mut delete| delete.execute([number]))
                .map_err(failure)?;
        } else {
            put(conn, number, at, &others)?;
        }
    }
    Ok(())
}

/// Takes over the rows of one charge each that older files have, in a table of its own.
pub(super) fn take_over(conn: &Connection) -> Answer<()> {
    let mut some: Vec<Packed> = Vec::with_capacity(A_ROW);
    let sql = "SELECT seq, lease, account, user, kind, tokens, at FROM old_charges ORDER BY seq";
    each(conn, sql, |row| {
        let charge = Packed {
            number: get(row, 0)?,
            lease: get(row, 1)?,
            account: get(row, 2)?,
            user: get(row, 3)?,
            kind: get(row, 4)?,
            tokens: get(row, 5)?,
            at: get(row, 6)?,
        };
        if some.len() == A_ROW || some.last().is_some_and(|last| !last.is_near(&charge)) {
            write(conn, &some)?;
            some.clear();
        }
        some.push(charge);
        Ok(())
    })?;
    write(conn, &some)
}
