//! One process a file: a lock beside the database, and who holds it.
//!
//! The kernel drops the lock with its holder, however that ends; the text that a dead
//! holder left is not read, because only a locked file's text is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use super::super::{Answer, StoreError};

/// The lock, held until it is dropped.
pub(super) struct Lock(Mutex<File>);

impl Lock {
    /// Locks a database file.
    ///
    /// # Errors
    /// `StoreError::Unusable`, naming the holder, when another process has it.
    pub(super) fn take(database: &Path) -> Answer<Self> {
        let path = beside(database);
        let file = open(&path).map_err(|error| unusable(&path, &error))?;
        // A command that asks who holds the file has it locked for an instant.
        for _ in 0..10 {
            match file.try_lock() {
                Ok(()) => {
                    let lock = Self(Mutex::new(file));
                    lock.does(None)?;
                    return Ok(lock);
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
                Err(TryLockError::Error(error)) => return Err(unusable(&path, &error)),
            }
        }
        let holder = text_of(&file).unwrap_or_default();
        Err(StoreError::Unusable(format!("{} is in use by {holder}", database.display())))
    }

    /// Tells that this process holds the file, and what it does that others may have to wait for.
    pub(super) fn does(&self, what: Option<&str>) -> Answer<()> {
        let process = format!("process {}", std::process::id());
        self.tell(&what.map_or_else(|| process.clone(), |what| format!("{process}, which {what}")))
    }

    /// Sets the line that tells who holds the file.
    pub(super) fn tell(&self, holder: &str) -> Answer<()> {
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(holder.as_bytes())
        };
        let mut file = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        write(&mut file).map_err(|error| match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full(
                "free some where the database's lock file lies, and try again".into(),
            ),
            kind => StoreError::Unavailable(format!("the lock file: {kind}")),
        })
    }
}

/// What the holder of a database file says of itself; `None` when nobody holds it.
///
/// # Errors
/// `StoreError::Unusable` when the lock file is there but can't be read.
pub(super) fn holder(database: &Path) -> Answer<Option<String>> {
    let path = beside(database);
    let file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|error| unusable(&path, &error))?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => text_of(&file).map(Some).map_err(|e| unusable(&path, &e)),
        Err(TryLockError::Error(error)) => Err(unusable(&path, &error)),
    }
}

fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn text_of(file: &File) -> std::io::Result<String> {
    let mut text = String::new();
    file.take(4096).read_to_string(&mut text)?;
    Ok(text.trim_end().to_owned())
}

fn unusable(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unusable(format!("{}: {error}", path.display()))
}
