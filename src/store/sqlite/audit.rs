//! The audit log: its verbs, and its rows in the file. The books know its end alone.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use crate::accounts::{AuditHead, AuditRow, UserId};

use super::super::{Answer, AuditLog};
use super::SqliteStore;
use super::books::{Books, Note};
use super::desk::Then;
use super::file::failure;
use super::load::get;
use super::rows;

#[async_trait]
impl AuditLog for SqliteStore {
    async fn audit_head(&self) -> Answer<AuditHead> {
        self.desk.read(|books, now| {
            let (seq, mac) = books.people.audited.clone();
            let ms = now.as_millisecond();
            let now = jiff::Timestamp::from_millisecond(ms).unwrap_or(now);
            AuditHead { seq, mac, now }
        })
    }

    async fn add_audit(&self, row: AuditRow) -> Answer<bool> {
        self.desk
            .decide(|books, _| match books.add_audit(row) {
                true => Then::Commit(true),
                false => Then::Answer(false),
            })
            .await
    }

    async fn audit_of(
        &self,
        reader: Option<UserId>,
        before: Option<i64>,
        limit: usize,
    ) -> Answer<Vec<AuditRow>> {
        let (before, limit) = (before.unwrap_or(i64::MAX), most(limit));
        self.look(move |conn| match reader {
            Some(reader) => page(
                conn,
                "SELECT row FROM audit_of JOIN audit USING (seq)
                 WHERE audit_of.user = ? AND audit_of.seq < ?
                 ORDER BY audit_of.seq DESC LIMIT ?",
                params![reader.0, before, limit],
            ),
            None => page(
                conn,
                "SELECT row FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?",
                params![before, limit],
            ),
        })
        .await
    }

    async fn audit_after(&self, after: i64, limit: usize) -> Answer<Vec<AuditRow>> {
        let limit = most(limit);
        self.look(move |conn| {
            let sql = "SELECT row FROM audit WHERE seq > ? ORDER BY seq LIMIT ?";
            page(conn, sql, params![after, limit])
        })
        .await
    }
}

impl Books {
    /// Takes a row as the next; `false` where it follows another one than the last.
    fn add_audit(&mut self, row: AuditRow) -> bool {
        let (seq, mac) = &self.people.audited;
        if (*seq, mac) == (row.seq, &row.mac) {
            return true;
        }
        if row.seq != seq + 1 || row.before != *mac {
            return false;
        }
        self.people.audited = (row.seq, row.mac.clone());
        self.note(Note::Audit(Box::new(row)));
        true
    }
}

/// Writes a row.
pub(super) fn write(conn: &Connection, row: &AuditRow) -> Answer<()> {
    let json = rows::to_json("audit", row)?;
    conn.prepare_cached("INSERT INTO audit VALUES (?, ?, ?)")
        .and_then(|mut add| add.execute(params![row.seq, row.at.as_millisecond(), json]))
        .map_err(failure)?;
    for reader in row.deed.readers() {
        conn.prepare_cached("INSERT OR IGNORE INTO audit_of VALUES (?, ?)")
            .and_then(|mut add| add.execute([reader.0, row.seq]))
            .map_err(failure)?;
    }
    Ok(())
}

/// Reads where the log ends.
pub(super) fn load(conn: &Connection, books: &mut Books) -> Answer<()> {
    let last = conn
        .query_row("SELECT row FROM audit ORDER BY seq DESC LIMIT 1", [], |row| {
            row.get::<_, String>(0)
        })
        .optional()
        .map_err(failure)?;
    if let Some(json) = last {
        let last: AuditRow = rows::json("audit", &json)?;
        books.people.audited = (last.seq, last.mac);
    }
    Ok(())
}

fn page(conn: &Connection, sql: &str, params: impl rusqlite::Params) -> Answer<Vec<AuditRow>> {
    let mut find = conn.prepare_cached(sql).map_err(failure)?;
    let mut found = find.query(params).map_err(failure)?;
    let mut all = Vec::new();
    while let Some(row) = found.next().map_err(failure)? {
        all.push(rows::json("audit", &get::<String>(row, 0)?)?);
    }
    Ok(all)
}

fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
