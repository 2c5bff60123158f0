//! Records in the file: a row each, as it came, and the lists that they stand in.
//!
//! What no query looks for is packed, in postcard's format.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rusqlite::{Connection, Row, Statement, params};
use serde::{Deserialize, Serialize};

use crate::accounts::{
    AccountId, Attempt, Charge, LeaseId, Points, Policy, Record, TokenId, Tokens, UserId,
};

use super::super::{Answer, StoreError};
use super::file::failure;
use super::lists::{self, List};
use super::load::get;
use super::rows;

/// What is packed of a record.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    token: i64,
    model: &'a str,
    streamed: bool,
    input: u64,
    cache_read: u64,
    cache_write: u64,
    output: u64,
    reasoning: u64,
    estimated: bool,
    took_ms: u64,
    first_byte_ms: Option<u64>,
    billing: &'a str,
    points: i64,
    outcome: &'a str,
    #[serde(borrow)]
    attempts: Vec<AttemptLine<'a>>,
}

#[derive(Serialize, Deserialize)]
struct AttemptLine<'a> {
    lease: [u8; 16],
    account: i64,
    platform: &'a str,
    model: &'a str,
    remaining: Option<i64>,
    candidates: Option<u32>,
    policy: Option<u8>,
    stayed: bool,
    outcome: &'a str,
    charge: ChargeLine,
    points: i64,
    took_ms: u64,
}

#[derive(Serialize, Deserialize)]
enum ChargeLine {
    Release,
    Exact(u64),
    Estimated(u64),
}

fn pack(record: &Record) -> Answer<Vec<u8>> {
    let line = Line {
        token: record.token.0,
        model: &record.model,
        streamed: record.streamed,
        input: record.input.0,
        cache_read: record.cache_read.0,
        cache_write: record.cache_write.0,
        output: record.output.0,
        reasoning: record.reasoning.0,
        estimated: record.estimated,
        took_ms: record.took_ms,
        first_byte_ms: record.first_byte_ms,
        billing: rows::billing_word(record.billing),
        points: record.points.0,
        outcome: &record.outcome,
        attempts: record.attempts.iter().map(AttemptLine::of).collect(),
    };
    super::journal::pack("record", Vec::with_capacity(256), &line)
}

fn unpack(packed: &[u8]) -> Answer<Line<'_>> {
    postcard::from_bytes(packed)
        .map_err(|error| StoreError::Corrupt { what: "record", why: error.to_string() })
}

impl<'a> AttemptLine<'a> {
    fn of(attempt: &'a Attempt) -> Self {
        Self {
            lease: attempt.lease.0.to_be_bytes(),
            account: attempt.account.0,
            platform: attempt.platform.as_str(),
            model: &attempt.model,
            remaining: attempt.remaining,
            candidates: attempt.candidates,
            policy: attempt.policy.map(Policy::number),
            stayed: attempt.stayed,
            outcome: &attempt.outcome,
            charge: match attempt.charge {
                Charge::Release => ChargeLine::Release,
                Charge::Exact(tokens) => ChargeLine::Exact(tokens.0),
                Charge::Estimated(tokens) => ChargeLine::Estimated(tokens.0),
            },
            points: attempt.points.0,
            took_ms: attempt.took_ms,
        }
    }

    fn read(self) -> Attempt {
        Attempt {
            lease: LeaseId(u128::from_be_bytes(self.lease)),
            account: AccountId(self.account),
            platform: self.platform.into(),
            model: self.model.into(),
            remaining: self.remaining,
            candidates: self.candidates,
            policy: self.policy.and_then(Policy::numbered),
            stayed: self.stayed,
            outcome: self.outcome.to_owned().into(),
            charge: match self.charge {
                ChargeLine::Release => Charge::Release,
                ChargeLine::Exact(tokens) => Charge::Exact(Tokens(tokens)),
                ChargeLine::Estimated(tokens) => Charge::Estimated(Tokens(tokens)),
            },
            points: Points(self.points),
            took_ms: self.took_ms,
        }
    }
}

/// What writes a record: a statement kept, as each call has one.
pub(super) struct Insert<'conn> {
    conn: &'conn Connection,
    insert: Statement<'conn>,
}

impl<'conn> Insert<'conn> {
    pub(super) fn prepare(conn: &'conn Connection) -> Answer<Self> {
        let insert = conn.prepare("INSERT INTO records VALUES (?, ?, ?, ?, ?)").map_err(failure)?;
        Ok(Self { conn, insert })
    }

    /// Writes a record under its number.
    pub(super) fn write(&mut self, number: i64, record: &Record) -> Answer<()> {
        let line = pack(record)?;
        let row = params![number, record.user.0, record.at.as_millisecond(), record.id, line];
        self.insert.execute(row).map_err(failure)?;
        if let Some(bodies) = &record.bodies {
            let bodies = rows::to_json("bodies", bodies)?;
            self.conn
                .prepare_cached("INSERT INTO bodies VALUES (?, ?)")
                .and_then(|mut insert| insert.execute(params![number, bodies]))
                .map_err(failure)?;
        }
        Ok(())
    }
}

/// The columns that [`read`] takes, without what was said.
const WITHOUT_BODIES: &str = "user, at, id, line, NULL";

fn read(row: &Row<'_>) -> Answer<Record> {
    let packed: Vec<u8> = get(row, 3)?;
    let line = unpack(&packed)?;
    Ok(Record {
        user: UserId(get(row, 0)?),
        at: rows::at("record", get(row, 1)?)?,
        id: get(row, 2)?,
        token: TokenId(line.token),
        model: line.model.into(),
        streamed: line.streamed,
        input: Tokens(line.input),
        cache_read: Tokens(line.cache_read),
        cache_write: Tokens(line.cache_write),
        output: Tokens(line.output),
        reasoning: Tokens(line.reasoning),
        estimated: line.estimated,
        took_ms: line.took_ms,
        first_byte_ms: line.first_byte_ms,
        billing: rows::billing(line.billing)?,
        points: Points(line.points),
        outcome: line.outcome.to_owned().into(),
        attempts: line.attempts.into_iter().map(AttemptLine::read).collect(),
        bodies: get::<Option<String>>(row, 4)?
            .map(|json| rows::json("bodies", &json))
            .transpose()?,
    })
}

/// The lists that a record stands in; none of an account that is gone.
pub(super) fn lists_of(record: &Record, is_gone: impl Fn(AccountId) -> bool) -> Vec<List> {
    let accounts = record.attempts.iter().map(|attempt| attempt.account);
    lists(record.user, accounts.filter(|account| !is_gone(*account)))
}

fn lists(user: UserId, tried: impl Iterator<Item = AccountId>) -> Vec<List> {
    // With a key of the operator's: on no account.
    let mut lists: Vec<List> =
        tried.filter(|account| *account != AccountId::OPERATOR).map(List::Account).collect();
    lists.sort_unstable();
    lists.dedup();
    if lists.is_empty() {
        lists.push(List::Nowhere(user));
    }
    lists.push(List::User(user));
    lists
}

/// Walks the records after a number, without what was said.
pub(super) fn after(
    conn: &Connection,
    number: i64,
    mut take: impl FnMut(i64, Record) -> Answer<()>,
) -> Answer<()> {
    let sql = format!("SELECT {WITHOUT_BODIES}, seq FROM records WHERE seq > ? ORDER BY seq");
    let mut find = conn.prepare_cached(&sql).map_err(failure)?;
    let mut found = find.query([number]).map_err(failure)?;
    while let Some(row) = found.next().map_err(failure)? {
        take(get(row, 5)?, read(row)?)?;
    }
    Ok(())
}

/// Deletes records that are listed, and takes them out of their lists; answers which those were.
pub(super) fn delete(conn: &Connection, numbers: &[i64]) -> Answer<BTreeMap<List, Vec<i64>>> {
    let mut gone: BTreeMap<List, Vec<i64>> = BTreeMap::new();
    let sql = "SELECT seq, user, line FROM records WHERE seq BETWEEN ? AND ? ORDER BY seq";
    let mut find = conn.prepare_cached(sql).map_err(failure)?;
    let prepare = |sql| conn.prepare_cached(sql).map_err(failure);
    let mut delete = prepare("DELETE FROM records WHERE seq BETWEEN ? AND ?")?;
    let mut delete_bodies = prepare("DELETE FROM bodies WHERE record BETWEEN ? AND ?")?;
    // Neighbours go together: a search for each would cost more than the deletion.
    for run in numbers.chunk_by(|one, next| *next == one + 1) {
        let [Some(first), Some(last)] = [run.first(), run.last()] else { continue };
        let mut found = find.query([first, last]).map_err(failure)?;
        while let Some(row) = found.next().map_err(failure)? {
            let packed = row.get_ref(2).map_err(failure)?;
            let line = unpack(packed.as_blob().map_err(|error| failure(error.into()))?)?;
            let tried = line.attempts.iter().map(|attempt| AccountId(attempt.account));
            for list in lists(UserId(get(row, 1)?), tried) {
                gone.entry(list).or_default().push(get(row, 0)?);
            }
        }
        drop(found);
        delete.execute([first, last]).map_err(failure)?;
        delete_bodies.execute([first, last]).map_err(failure)?;
    }
    gone.iter().try_for_each(|(list, numbers)| lists::take_out(conn, *list, numbers))?;
    Ok(gone)
}

/// A user's record by its number; another's is not read.
fn one(conn: &Connection, user: UserId, number: i64) -> Answer<Option<Record>> {
    let sql = "SELECT user, at, id, line, bodies FROM records LEFT JOIN bodies ON record = seq
               WHERE seq = ? AND user = ?";
    let mut find = conn.prepare_cached(sql).map_err(failure)?;
    let mut found = find.query([number, user.0]).map_err(failure)?;
    found.next().map_err(failure)?.map(read).transpose()
}

/// A user's records, newest first, older than the one whose id is `before`; of one account
/// those that were tried on it.
pub(super) fn page(
    conn: &Connection,
    user: UserId,
    account: Option<AccountId>,
    before: Option<&str>,
    limit: usize,
) -> Answer<Vec<Record>> {
    let mut page = Vec::new();
    let Some(below) = number_of(conn, user, before)? else { return Ok(page) };
    if limit == 0 {
        return Ok(page);
    }
    let list = account.map_or(List::User(user), List::Account);
    lists::walk_back(conn, list, below, |number| {
        page.extend(one(conn, user, number)?);
        Ok(if page.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(page)
}

/// Below which number a page begins: the end of time without a cursor, none for a cursor that
/// is none.
fn number_of(conn: &Connection, user: UserId, before: Option<&str>) -> Answer<Option<i64>> {
    let Some(before) = before else { return Ok(Some(i64::MAX)) };
    // A walk through one user's rows; an index by id would cost every call a write.
    let mut found = None;
    lists::walk_back(conn, List::User(user), i64::MAX, |number| {
        let is_it = conn
            .prepare_cached("SELECT 1 FROM records WHERE seq = ? AND id = ?")
            .and_then(|mut find| find.exists(params![number, before]))
            .map_err(failure)?;
        found = is_it.then_some(number);
        Ok(if is_it { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(found)
}
