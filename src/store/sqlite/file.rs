//! The database file: opened for its owner alone, its schema brought up to date.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode};

use super::super::{Answer, StoreError};
use super::upgrade;

/// The schema's version, as `PRAGMA user_version` holds it.
const VERSION: i64 = 7;
/// The oldest that is brought up to date.
const OLDEST: i64 = 3;

/// Opens the file for the writer; makes it if it is not there.
///
/// # Errors
/// `StoreError::Unusable` when it can't be opened, is no database, or was written by
/// another version.
pub(super) fn open(path: &Path, now: Timestamp) -> Answer<Connection> {
    let unusable = |why: String| StoreError::Unusable(format!("{}: {why}", path.display()));
    private(path).map_err(|error| unusable(error.to_string()))?;
    let conn = connect(path).map_err(|error| unusable(error.to_string()))?;
    let version: i64 = conn
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(|error| unusable(error.to_string()))?;
    match version {
        0 => {
            let schema = concat!(
                include_str!("schema.sql"),
                include_str!("journal.sql"),
                include_str!("records.sql"),
            );
            transaction(&conn, || conn.execute_batch(schema).map_err(failure))
                .map_err(|error| unusable(error.to_string()))?;
        }
        OLDEST..=VERSION => {}
        other => {
            let age = if other > VERSION { "a newer" } else { "an older" };
            return Err(unusable(format!(
                "written by {age} version (its format is {other}, this one reads {OLDEST} to {VERSION})"
            )));
        }
    }
    let add = || {
        let added = concat!(include_str!("policies.sql"), include_str!("teams.sql"));
        conn.execute_batch(added).map_err(|error| unusable(error.to_string()))
    };
    add()?;
    if (OLDEST..VERSION).contains(&version) {
        transaction(&conn, || upgrade::bring(&conn, version, now))
            .map_err(|error| unusable(error.to_string()))?;
        // What hangs on a table that was made anew.
        add()?;
    }
    Ok(conn)
}

/// Opens a second connection, which only reads.
pub(super) fn open_reader(path: &Path) -> Answer<Connection> {
    let conn = connect(path).map_err(failure)?;
    conn.pragma_update(None, "query_only", true).map_err(failure)?;
    Ok(conn)
}

/// A failure of SQLite in our words; SQLite's texts name no values.
pub(super) fn failure(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Unavailable("the disk is full".into()),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Corrupt { what: "database", why: error.to_string() }
        }
        _ => StoreError::Unavailable(error.to_string()),
    }
}

/// Makes the file before SQLite does: its `-wal` and `-shm` take its permissions.
fn private(path: &Path) -> std::io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(std::time::Duration::from_secs(2))?;
    conn.pragma_update(None, "journal_mode", "wal")?;
    // With WAL this loses the last commits in a power cut, and nothing in a crash.
    conn.pragma_update(None, "synchronous", "normal")?;
    // A page that many commits change is copied back once a checkpoint: 32 MB of log.
    conn.pragma_update(None, "wal_autocheckpoint", 8_000)?;
    conn.pragma_update(None, "journal_size_limit", 64 << 20)?;
    conn.pragma_update(None, "cache_size", -16_000)?;
    // The writer has some thirty that it meets again; parsing one costs what a request does.
    conn.set_prepared_statement_cache_capacity(128);
    Ok(conn)
}

/// Brings the file to this version, or leaves it as it was.
fn transaction(conn: &Connection, change: impl FnOnce() -> Answer<()>) -> Answer<()> {
    // Rolled back when it is dropped before.
    let transaction = conn.unchecked_transaction().map_err(failure)?;
    change()?;
    conn.pragma_update(None, "user_version", VERSION).map_err(failure)?;
    transaction.commit().map_err(failure)
}
