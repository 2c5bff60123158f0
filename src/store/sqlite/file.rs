//! The database file: opened for its owner alone, its schema brought up to date.

use std::fmt::Display;
use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, ffi};

use super::super::{Answer, StoreError};
use super::upgrade;

/// The schema's version, as `PRAGMA user_version` holds it.
const VERSION: i64 = 8;
/// The oldest that is brought up to date.
const OLDEST: i64 = 3;

/// Opens the file for the writer; makes it if it is not there. `most`: pages that it may have;
/// `does`: hears of what takes long, and when it is done.
///
/// # Errors
/// `StoreError::Unusable` when it can't be opened, is no database, or was written by
/// another version; `StoreError::Full` when its disk has no room for opening it.
pub(super) fn open(
    path: &Path,
    now: Timestamp,
    most: Option<u32>,
    does: impl Fn(Option<&str>) -> Answer<()>,
) -> Answer<Connection> {
    let unusable = |why: &dyn Display| StoreError::Unusable(format!("{}: {why}", path.display()));
    let told = |error: StoreError| match error {
        StoreError::Full(_) => {
            StoreError::Full(format!("free some where {} lies, and try again", path.display()))
        }
        error => unusable(&error),
    };
    let failed = |error: rusqlite::Error| match is_full(&error) {
        true => told(failure(error)),
        false => unusable(&error),
    };
    private(path).map_err(|error| unusable(&error))?;
    let conn = connect(path).map_err(failed)?;
    if let Some(pages) = most {
        conn.pragma_update(None, "max_page_count", pages).map_err(failed)?;
    }
    let version: i64 =
        conn.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    match version {
        0 => {
            let schema = concat!(
                include_str!("schema.sql"),
                include_str!("journal.sql"),
                include_str!("records.sql"),
                include_str!("packs.sql"),
            );
            transaction(&conn, || conn.execute_batch(schema).map_err(failure)).map_err(told)?;
        }
        VERSION => {}
        OLDEST..VERSION => {
            does(Some(&format!("brings it from format {version} to {VERSION}")))?;
            let room = Room::at(path);
            bring(&conn, version, now).map_err(|error| match error {
                StoreError::Full(_) => room.is_wanting(path, version),
                error => unusable(&error),
            })?;
            does(None)?;
        }
        other => {
            let age = if other > VERSION { "a newer" } else { "an older" };
            return Err(unusable(&format!(
                "written by {age} version (its format is {other}, this one reads {OLDEST} to {VERSION})"
            )));
        }
    }
    add(&conn).map_err(told)?;
    Ok(conn)
}

/// Adds the tables that a file of this version may lack.
fn add(conn: &Connection) -> Answer<()> {
    let added = concat!(include_str!("policies.sql"), include_str!("teams.sql"));
    conn.execute_batch(added).map_err(failure)
}

/// Brings a file of an older version up to date, or leaves it as it was.
fn bring(conn: &Connection, version: i64, now: Timestamp) -> Answer<()> {
    // First what a killed gateway left in the log, so that the log is of this alone, and goes
    // with it where the disk is too small.
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(failure)?;
    transaction(conn, || {
        add(conn)?;
        upgrade::bring(conn, version, now)
    })
}

/// What a file has, and what is free beside it.
struct Room {
    file: u64,
    free: u64,
}

impl Room {
    /// As far as the system tells.
    fn at(path: &Path) -> Self {
        let free =
            rustix::fs::statvfs(path).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        Self {
            file: path.metadata().map(|file| file.len()).unwrap_or_default(),
            free: free.unwrap_or_default(),
        }
    }

    fn is_wanting(&self, path: &Path, version: i64) -> StoreError {
        let mb = |bytes: u64| bytes.div_ceil(1 << 20);
        StoreError::Full(format!(
            "{} has format {version}, and to bring it to {VERSION} takes up to {} MB beside it, \
             where {} MB were free. It is as it was. Free some, or move it to a larger disk, and \
             try again",
            path.display(),
            mb(self.file),
            self.free >> 20,
        ))
    }
}

/// Opens a second connection, which only reads.
pub(super) fn open_reader(path: &Path) -> Answer<Connection> {
    let conn = connect(path).map_err(failure)?;
    conn.pragma_update(None, "query_only", true).map_err(failure)?;
    // What a report folds for itself on a full disk stays in memory.
    conn.pragma_update(None, "cache_spill", false).map_err(failure)?;
    Ok(conn)
}

/// A failure of SQLite in our words; SQLite's texts name no values.
pub(super) fn failure(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        _ if is_full(&error) => {
            let fix = "free some where the database lies, and the store goes on by itself";
            StoreError::Full(fix.into())
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Corrupt { what: "database", why: error.to_string() }
        }
        _ => StoreError::Unavailable(error.to_string()),
    }
}

/// Whether the disk has no room for a page, or for the log's index.
fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        error.code == ErrorCode::DiskFull || error.extended_code == ffi::SQLITE_IOERR_SHMSIZE
    })
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

/// Gives the file this version's number with a change, all or nothing.
fn transaction(conn: &Connection, change: impl FnOnce() -> Answer<()>) -> Answer<()> {
    // Rolled back when it is dropped before.
    let transaction = conn.unchecked_transaction().map_err(failure)?;
    change()?;
    conn.pragma_update(None, "user_version", VERSION).map_err(failure)?;
    transaction.commit().map_err(failure)
}
