//! Purses: the verbs on the books, and their rows in the file.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::accounts::{
    EntryKind, HoldAsk, HoldEnd, HoldKey, HoldRefusal, LeaseId, Points, PointsEntry, Purse,
    PurseState, TokenId, UserId,
};

use super::super::{Answer, Purses, Treasury};
use super::SqliteStore;
use super::books::{Books, Held, HoldState, Ms, PointsEntry as NewEntry, PurseId, PurseNote};
use super::desk::{Desk, Then};
use super::file::failure;
use super::load::{each, get, lease_id};
use super::rows;

#[async_trait]
impl Treasury for SqliteStore {
    async fn grant_points(
        &self,
        user: UserId,
        points: Points,
        note: &str,
    ) -> Answer<Option<Points>> {
        self.desk.write(|books, now| books.grant_points(user, points, note, now)).await
    }

    async fn purse(&self, purse: &Purse) -> Answer<PurseState> {
        let look = |books: &mut Books, now| {
            books.sweep_holds(now);
            books.purse(purse, now)
        };
        self.desk.write(look).await
    }

    async fn points_ledger(
        &self,
        user: UserId,
        before: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<PointsEntry>> {
        self.desk.write(|books, now| books.sweep_holds(now)).await?;
        let before = match before {
            None => i64::MAX,
            Some(cursor) => match cursor.parse() {
                Ok(before) => before,
                Err(_) => return Ok(Vec::new()),
            },
        };
        self.look(move |conn| ledger(conn, user, before, limit)).await
    }
}

#[async_trait]
impl Purses for SqliteStore {
    async fn admit(&self, token: &str, per_minute: NonZeroU32) -> Answer<Result<(), Duration>> {
        // One process holds the file: what it counts is all.
        Ok(self.rates.check(token, per_minute))
    }

    async fn hold(&self, ask: HoldAsk<'_>) -> Answer<Result<Timestamp, HoldRefusal>> {
        let unclaimed = Unclaimed { desk: &self.desk, id: ask.key.id };
        let answer = self
            .desk
            .decide(|books, now| match books.hold(&ask, now, self.deadline_after(now)) {
                Ok(at) => Then::Commit(Ok(at)),
                Err(refusal) => Then::Answer(Err(refusal)),
            })
            .await;
        std::mem::forget(unclaimed);
        answer
    }

    async fn end_holds(&self, batch: Vec<HoldEnd>) -> Answer<()> {
        self.desk.write(|books, now| batch.iter().for_each(|end| books.end_hold(end, now))).await
    }

    async fn renew_holds(&self, holds: &[HoldKey]) -> Answer<()> {
        self.desk.write(|books, now| books.renew_holds(holds, self.deadline_after(now))).await
    }
}

/// A hold whose answer is awaited; dropped before, it is given back.
struct Unclaimed<'a> {
    desk: &'a Desk,
    id: LeaseId,
}

impl Drop for Unclaimed<'_> {
    fn drop(&mut self) {
        self.desk.leave(|books, _| books.give_back_hold(self.id));
    }
}

/// Writes a change.
pub(super) fn write(conn: &Connection, note: &PurseNote) -> Answer<()> {
    match note {
        PurseNote::Held(id, held) => {
            let (is_budget, owner) = match held.purse {
                PurseId::Points(user) => (false, user.0),
                PurseId::Budget(token) => (true, token.0),
            };
            let (held_now, charged) = match held.state {
                HoldState::Open(amount) => (Some(amount), None),
                HoldState::Charged(day) => (None, Some(day)),
            };
            once(
                conn,
                "INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    id.0.to_be_bytes(),
                    is_budget,
                    owner,
                    held.estimate,
                    held_now,
                    charged,
                    held.due,
                    &*held.note,
                ],
            )
        }
        PurseNote::Renewed(id, due) => {
            let row = params![due, id.0.to_be_bytes()];
            once(conn, "UPDATE holds SET due = ? WHERE id = ?", row)
        }
        PurseNote::Gone(id) => {
            once(conn, "DELETE FROM holds WHERE id = ?", params![id.0.to_be_bytes()])
        }
        PurseNote::Budget(token, value, ends) => once(
            conn,
            "INSERT OR REPLACE INTO budgets VALUES (?, ?, ?)",
            params![token.0, value, ends],
        ),
        PurseNote::Entry(entry) => write_entry(conn, entry),
    }
}

fn write_entry(conn: &Connection, entry: &NewEntry) -> Answer<()> {
    let row = params![
        entry.user.0,
        entry.at,
        rows::to_json("entry", &entry.kind)?,
        entry.points,
        entry.balance,
        entry.hold.map(|id| id.0.to_be_bytes()),
        &*entry.note,
    ];
    once(conn, "INSERT INTO points VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", row)
}

fn once(conn: &Connection, sql: &str, params: impl rusqlite::Params) -> Answer<()> {
    let done = conn.prepare_cached(sql).and_then(|mut statement| statement.execute(params));
    done.map(drop).map_err(failure)
}

/// Reads balances, budgets and holds.
pub(super) fn load(conn: &Connection, books: &mut Books) -> Answer<()> {
    let sql = "SELECT user, balance FROM points
               WHERE seq IN (SELECT max(seq) FROM points GROUP BY user)";
    each(conn, sql, |row| {
        books.purses.place(PurseId::Points(UserId(get(row, 0)?)), get(row, 1)?, 0);
        Ok(())
    })?;
    each(conn, "SELECT token, value, ends FROM budgets", |row| {
        books.purses.place(PurseId::Budget(TokenId(get(row, 0)?)), get(row, 1)?, get(row, 2)?);
        Ok(())
    })?;
    let sql = "SELECT id, is_budget, owner, estimate, held, charged, due, note FROM holds";
    each(conn, sql, |row| {
        let owner = get(row, 2)?;
        let state = match get::<Option<i64>>(row, 4)? {
            Some(amount) => HoldState::Open(amount),
            None => HoldState::Charged(get::<Option<Ms>>(row, 5)?.unwrap_or_default()),
        };
        let held = Held {
            purse: match get(row, 1)? {
                false => PurseId::Points(UserId(owner)),
                true => PurseId::Budget(TokenId(owner)),
            },
            estimate: get(row, 3)?,
            note: get::<String>(row, 7)?.into(),
            state,
            due: get(row, 6)?,
        };
        books.purses.place_hold(lease_id(row, 0)?, held);
        Ok(())
    })
}

fn ledger(conn: &Connection, user: UserId, before: i64, limit: usize) -> Answer<Vec<PointsEntry>> {
    let sql = "SELECT seq, at, kind, points, balance, hold, note FROM points
               WHERE user = ? AND seq < ? ORDER BY seq DESC LIMIT ?";
    let mut find = conn.prepare_cached(sql).map_err(failure)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = find.query(params![user.0, before, limit]).map_err(failure)?;
    let mut entries = Vec::new();
    while let Some(row) = found.next().map_err(failure)? {
        entries.push(entry(row)?);
    }
    Ok(entries)
}

fn entry(row: &Row<'_>) -> Answer<PointsEntry> {
    let hold: Option<[u8; 16]> = get(row, 5)?;
    Ok(PointsEntry {
        cursor: get::<i64>(row, 0)?.to_string(),
        at: rows::at("entry", get(row, 1)?)?,
        kind: rows::json::<EntryKind>("entry", &get::<String>(row, 2)?)?,
        points: Points(get(row, 3)?),
        balance: Points(get(row, 4)?),
        hold: hold.map(|bytes| LeaseId(u128::from_be_bytes(bytes))),
        note: get(row, 6)?,
    })
}
