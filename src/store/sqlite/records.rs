//! Records in the file: as they came, a page of them a row, and the lists that they stand in.
//!
//! A row of its own would cost each record more than all else that the store does for a call, when
//! it comes and again when it goes. They are found by their numbers: one lies in the first row
//! whose last number is not below its own. They are packed in postcard's format.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use rusqlite::{Connection, OptionalExtension as _, Statement, params};
use serde::{Deserialize, Serialize};

use crate::accounts::{
    AccountId, Attempt, Charge, KeptBodies, LeaseId, Points, Policy, Record, TokenId, Tokens,
    UserId,
};

use super::super::{Answer, StoreError};
use super::books::Ms;
use super::file::failure;
use super::journal::{pack, pack_row, packed};
use super::lists::{self, List};
use super::load::get;
use super::rows;

/// A record, packed.
#[derive(Serialize, Deserialize)]
pub(super) struct Line<'a> {
    pub(super) number: i64,
    pub(super) user: i64,
    at: Ms,
    pub(super) id: &'a str,
    /// Whether what was said is kept.
    has_bodies: bool,
    #[serde(borrow)]
    call: Call<'a>,
}

/// What it tells of its call: what a row of version 7 had packed.
#[derive(Serialize, Deserialize)]
struct Call<'a> {
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

impl<'a> Line<'a> {
    pub(super) fn of(number: i64, record: &'a Record, has_bodies: bool) -> Self {
        Self {
            number,
            user: record.user.0,
            at: record.at.as_millisecond(),
            id: &record.id,
            has_bodies,
            call: Call {
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
            },
        }
    }

    /// A row of version 7.
    pub(super) fn of_row(
        (number, user, at, has_bodies): (i64, i64, Ms, bool),
        id: &'a str,
        line: &'a [u8],
    ) -> Answer<Self> {
        let call = postcard::from_bytes(line)
            .map_err(|error| StoreError::Corrupt { what: "record", why: error.to_string() })?;
        Ok(Self { number, user, at, id, has_bodies, call })
    }

    /// The lists that it stands in.
    fn lists(&self) -> Vec<List> {
        let tried = self.call.attempts.iter().map(|attempt| AccountId(attempt.account));
        lists(UserId(self.user), tried)
    }

    /// The record, without what was said.
    fn read(self) -> Answer<Record> {
        let Call { attempts, .. } = self.call;
        Ok(Record {
            user: UserId(self.user),
            at: rows::at("record", self.at)?,
            id: self.id.to_owned(),
            token: TokenId(self.call.token),
            model: self.call.model.into(),
            streamed: self.call.streamed,
            input: Tokens(self.call.input),
            cache_read: Tokens(self.call.cache_read),
            cache_write: Tokens(self.call.cache_write),
            output: Tokens(self.call.output),
            reasoning: Tokens(self.call.reasoning),
            estimated: self.call.estimated,
            took_ms: self.call.took_ms,
            first_byte_ms: self.call.first_byte_ms,
            billing: rows::billing(self.call.billing)?,
            points: Points(self.call.points),
            outcome: self.call.outcome.to_owned().into(),
            attempts: attempts.into_iter().map(AttemptLine::read).collect(),
            bodies: None,
        })
    }
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

/// Records on their way to the file, ascending: those of the row that has room are written by
/// [`Rows::end`].
#[derive(Default)]
pub(super) struct Rows {
    lines: Vec<u8>,
    last: i64,
    latest: Ms,
}

/// A row is too old when its latest record is, so its others are of the same hour.
const AN_HOUR: Ms = 3_600_000;

/// What puts a row.
pub(super) const PUT: &str = "INSERT OR REPLACE INTO records VALUES (?, ?, ?)";

impl Rows {
    /// Writes a record under its number.
    pub(super) fn add(
        &mut self,
        conn: &Connection,
        put: &mut Statement<'_>,
        number: i64,
        record: &Record,
    ) -> Answer<()> {
        self.add_line(put, &Line::of(number, record, record.bodies.is_some()))?;
        if let Some(bodies) = &record.bodies {
            let bodies = rows::to_json("bodies", bodies)?;
            conn.prepare_cached("INSERT INTO bodies VALUES (?, ?)")
                .and_then(|mut insert| insert.execute(params![number, bodies]))
                .map_err(failure)?;
        }
        Ok(())
    }

    pub(super) fn add_line(&mut self, put: &mut Statement<'_>, line: &Line<'_>) -> Answer<()> {
        if line.at.div_euclid(AN_HOUR) != self.latest.div_euclid(AN_HOUR) {
            self.end(put)?;
        }
        if !pack_row("record", &mut self.lines, line)? {
            self.end(put)?;
            pack_row("record", &mut self.lines, line)?;
        }
        self.last = line.number;
        self.latest = self.latest.max(line.at);
        Ok(())
    }

    pub(super) fn end(&mut self, put: &mut Statement<'_>) -> Answer<()> {
        if !self.lines.is_empty() {
            put.execute(params![self.last, self.latest, self.lines]).map_err(failure)?;
        }
        self.lines.clear();
        self.latest = 0;
        Ok(())
    }
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
    let sql = "SELECT lines FROM records WHERE seq > ? ORDER BY seq";
    let mut find = conn.prepare_cached(sql).map_err(failure)?;
    let mut found = find.query([number]).map_err(failure)?;
    while let Some(row) = found.next().map_err(failure)? {
        packed("record", &get::<Vec<u8>>(row, 0)?, |line: Line<'_>| match line.number {
            before if before <= number => Ok(()),
            number => take(number, line.read()?),
        })?;
    }
    Ok(())
}

/// The row that a record would lie in: its number, and its lines.
fn row_of(conn: &Connection, number: i64) -> Answer<Option<(i64, Vec<u8>)>> {
    conn.prepare_cached("SELECT seq, lines FROM records WHERE seq >= ? ORDER BY seq LIMIT 1")
        .and_then(|mut find| {
            find.query_row([number], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(failure)
}

/// What is made of records, by their numbers; neighbours are looked for in one row together.
pub(super) struct Row<T>(BTreeMap<i64, T>);

impl<T> Row<T> {
    pub(super) fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Takes what `make` makes of a record, if it is there.
    pub(super) fn take(
        &mut self,
        conn: &Connection,
        number: i64,
        make: impl Fn(Line<'_>) -> Answer<T>,
    ) -> Answer<Option<T>> {
        if !self.0.contains_key(&number) {
            self.0.clear();
            if let Some((_, lines)) = row_of(conn, number)? {
                packed("record", &lines, |line: Line<'_>| {
                    self.0.insert(line.number, make(line)?);
                    Ok(())
                })?;
            }
        }
        Ok(self.0.remove(&number))
    }
}

/// Numbers of the oldest records, so many at most, of rows that are older than a time and listed
/// (up to this number). The newest of all stays.
pub(super) fn old(conn: &Connection, than: Ms, listed: i64, most: usize) -> Answer<Vec<i64>> {
    let newest: Option<i64> =
        conn.query_row("SELECT max(seq) FROM records", [], |row| row.get(0)).map_err(failure)?;
    let sql = "SELECT at, lines FROM records WHERE seq <= ? ORDER BY seq";
    let mut find = conn.prepare_cached(sql).map_err(failure)?;
    let mut found = find.query([listed]).map_err(failure)?;
    let mut old = Vec::new();
    while old.len() < most
        && let Some(row) = found.next().map_err(failure)?
        && get::<Ms>(row, 0)? < than
    {
        packed("record", &get::<Vec<u8>>(row, 1)?, |line: Line<'_>| {
            old.extend(Some(line.number).filter(|number| Some(*number) != newest));
            Ok(())
        })?;
    }
    old.truncate(most);
    Ok(old)
}

/// Deletes records that are listed, and takes them out of their lists; answers which those were.
pub(super) fn delete(conn: &Connection, mut numbers: &[i64]) -> Answer<BTreeMap<List, Vec<i64>>> {
    let mut gone: BTreeMap<List, Vec<i64>> = BTreeMap::new();
    let prepare = |sql| conn.prepare_cached(sql).map_err(failure);
    let mut put = prepare(PUT)?;
    let mut delete = prepare("DELETE FROM records WHERE seq = ?")?;
    let mut delete_bodies = prepare("DELETE FROM bodies WHERE record = ?")?;
    while let [first, ..] = numbers
        && let Some((seq, lines)) = row_of(conn, *first)?
    {
        let (here, further) = numbers.split_at(numbers.partition_point(|number| *number <= seq));
        let (mut left, mut latest) = (Vec::new(), Ms::MIN);
        packed("record", &lines, |line: Line<'_>| {
            if here.binary_search(&line.number).is_err() {
                latest = latest.max(line.at);
                left = pack("record", std::mem::take(&mut left), &line)?;
                return Ok(());
            }
            for list in line.lists() {
                gone.entry(list).or_default().push(line.number);
            }
            if line.has_bodies {
                delete_bodies.execute([line.number]).map_err(failure)?;
            }
            Ok(())
        })?;
        match left.is_empty() {
            true => delete.execute([seq]),
            false if left.len() < lines.len() => put.execute(params![seq, latest, left]),
            false => Ok(0),
        }
        .map_err(failure)?;
        numbers = further;
    }
    gone.iter().try_for_each(|(list, numbers)| lists::take_out(conn, *list, numbers))?;
    Ok(gone)
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
    let mut row = Row::new();
    lists::walk_back(conn, list, below, |number| {
        let found = row.take(conn, number, |line| Ok((line.has_bodies, line.read()?)))?;
        // Another's is not told of, whatever an account's list says.
        if let Some((has_bodies, mut record)) = found.filter(|(_, record)| record.user == user) {
            record.bodies = if has_bodies { bodies(conn, number)? } else { None };
            page.push(record);
        }
        Ok(if page.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(page)
}

fn bodies(conn: &Connection, number: i64) -> Answer<Option<KeptBodies>> {
    conn.prepare_cached("SELECT bodies FROM bodies WHERE record = ?")
        .and_then(|mut find| find.query_row([number], |row| row.get::<_, String>(0)).optional())
        .map_err(failure)?
        .map(|json| rows::json("bodies", &json))
        .transpose()
}

/// Below which number a page begins: the end of time without a cursor, none for a cursor that
/// is none.
fn number_of(conn: &Connection, user: UserId, before: Option<&str>) -> Answer<Option<i64>> {
    let Some(before) = before else { return Ok(Some(i64::MAX)) };
    // A walk through one user's rows; an index by id would cost every call a write.
    let (mut found, mut row) = (None, Row::new());
    lists::walk_back(conn, List::User(user), i64::MAX, |number| {
        let is_it = row.take(conn, number, |line| Ok(line.id == before))?.unwrap_or_default();
        found = is_it.then_some(number);
        Ok(if is_it { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(found)
}
