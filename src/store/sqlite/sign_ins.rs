//! Sessions, links and tries: the verbs on the books, and their rows in the file.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::accounts::{AttemptKey, Attempts, LinkPurpose, LinkRow, SessionRow, UserId};

use super::super::{Answer, SignIns};
use super::SqliteStore;
use super::books::Books;
use super::file::failure;
use super::load::{each, get};
use super::rows;

/// With more keys than this, those that are forgotten go.
const KEPT: usize = 10_000;

/// What was tried lately. One process holds the file: what it counts is all.
#[derive(Default)]
pub(super) struct Tries(Mutex<HashMap<AttemptKey, Attempts>>);

impl Tries {
    fn take(&self, key: &AttemptKey, now: i64) -> Result<(), Duration> {
        let mut tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tried.len() >= KEPT && !tried.contains_key(key) {
            tried.retain(|_, attempts| !attempts.is_forgotten(now));
        }
        tried.entry(key.clone()).or_default().take(key, now)
    }

    fn give_back(&self, key: &AttemptKey) {
        let mut tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(attempts) = tried.get_mut(key) {
            attempts.give_back(key);
        }
    }
}

#[async_trait]
impl SignIns for SqliteStore {
    async fn add_session(&self, row: SessionRow) -> Answer<()> {
        self.desk.write(|books, now| books.add_session(row, now)).await
    }

    async fn session(&self, index: &str) -> Answer<Option<SessionRow>> {
        self.desk.read(|books, _| books.people.sessions.get(index).cloned())
    }

    async fn touch_session(&self, index: &str, at: Timestamp) -> Answer<()> {
        self.desk.write(|books, _| books.touch_session(index, at)).await
    }

    async fn sessions_of(&self, user: UserId) -> Answer<Vec<SessionRow>> {
        self.desk.read(|books, _| books.sessions_of(user))
    }

    async fn end_session(&self, user: UserId, id: &str) -> Answer<bool> {
        self.desk.write(|books, _| books.end_session(user, id)).await
    }

    async fn keep_link(&self, row: LinkRow) -> Answer<()> {
        self.desk.write(|books, _| books.keep_link(row)).await
    }

    async fn link(&self, purpose: LinkPurpose) -> Answer<Option<LinkRow>> {
        self.desk.read(|books, _| books.link(purpose).cloned())
    }

    async fn take_link(&self, row: &LinkRow) -> Answer<bool> {
        self.desk.write(|books, _| books.take_link(row)).await
    }

    async fn try_sign_in(&self, key: &AttemptKey) -> Answer<Result<(), Duration>> {
        Ok(self.tries.take(key, self.desk.now().as_millisecond()))
    }

    async fn signed_in(&self, key: &AttemptKey) -> Answer<()> {
        self.tries.give_back(key);
        Ok(())
    }
}

pub(super) fn write_session(
    conn: &Connection,
    index: &str,
    row: Option<&SessionRow>,
) -> Answer<()> {
    match row {
        Some(row) => {
            let row = params![index, rows::to_json("session", row)?];
            once(conn, "INSERT OR REPLACE INTO sessions VALUES (?, ?)", row)
        }
        None => once(conn, "DELETE FROM sessions WHERE lookup = ?", params![index]),
    }
}

pub(super) fn write_link(conn: &Connection, slot: &str, row: Option<&LinkRow>) -> Answer<()> {
    match row {
        Some(row) => {
            let row = params![slot, rows::to_json("link", row)?];
            once(conn, "INSERT OR REPLACE INTO links VALUES (?, ?)", row)
        }
        None => once(conn, "DELETE FROM links WHERE slot = ?", params![slot]),
    }
}

fn once(conn: &Connection, sql: &str, params: impl rusqlite::Params) -> Answer<()> {
    let done = conn.prepare_cached(sql).and_then(|mut statement| statement.execute(params));
    done.map(drop).map_err(failure)
}

/// Reads sessions and links.
pub(super) fn load(conn: &Connection, books: &mut Books) -> Answer<()> {
    each(conn, "SELECT lookup, row FROM sessions", |row| {
        let session = rows::json("session", &get::<String>(row, 1)?)?;
        books.people.sessions.insert(get(row, 0)?, session);
        Ok(())
    })?;
    each(conn, "SELECT slot, row FROM links", |row| {
        books.people.links.insert(get(row, 0)?, rows::json("link", &get::<String>(row, 1)?)?);
        Ok(())
    })
}
