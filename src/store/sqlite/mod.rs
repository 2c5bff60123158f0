//! The embedded store: one machine, one gateway, nothing installed.
//!
//! The state lies in memory ([`books`]) and in a SQLite file. A verb changes the books,
//! then waits until the writer's thread has committed the change; commits gather
//! whatever waits. kill -9 loses nothing that was answered; a power cut may lose the
//! last commits (`synchronous=NORMAL`, <https://sqlite.org/wal.html>).
//!
//! One process holds a file: see [`SqliteStore::holder`].

mod audit;
mod books;
mod charges;
mod desk;
mod directory;
mod file;
mod journal;
mod ledger;
mod lists;
mod load;
mod lock;
mod notices;
mod purses;
mod records;
mod removal;
mod retention;
mod rows;
mod sealings;
mod sign_ins;
mod statements;
mod teams;
mod totals;
mod unwritten;
mod upgrade;
mod waiters;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::rate::Rates;
use super::settings::SHORTEST_DEADLINE;
use super::{Answer, Clock, Keep, Store, StoreError};
use crate::accounts::{LeaseAsk, Policy};
use crate::telemetry::clock;
use desk::Desk;
use lock::Lock;
use retention::Retention;
use unwritten::Unwritten;

/// What tests set; everyone else takes the default.
#[derive(Clone)]
pub struct Options {
    /// What tells the time.
    pub clock: Clock,
    /// How long a lease lives without being renewed.
    pub deadline: Duration,
    /// How much is kept.
    pub keep: Keep,
    /// The file's greatest size in pages of 4 KB: a disk that is full sooner.
    pub max_pages: Option<u32>,
    /// The policy of pools without one of their own.
    pub policy: Policy,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(clock::now),
            deadline: LeaseAsk::DEADLINE,
            keep: Keep::default(),
            max_pages: None,
            policy: Policy::default(),
        }
    }
}

/// The embedded store. Dropping it commits what was asked, and closes the file.
pub struct SqliteStore {
    desk: Arc<Desk>,
    writer: Option<JoinHandle<()>>,
    reader: Arc<Mutex<Connection>>,
    deadline: Duration,
    rates: Rates,
    tries: sign_ins::Tries,
    /// Held by the one who posts a notice.
    posting: tokio::sync::Mutex<()>,
    // Last: the file is unlocked once all else is closed.
    lock: Lock,
}

impl SqliteStore {
    /// Opens a file, or makes it, readable by its owner alone.
    ///
    /// # Errors
    /// `StoreError::Unusable` when another process has it, it can't be opened, or
    /// another version wrote it.
    pub fn open(path: &Path, options: Options) -> Answer<Self> {
        let path = absolute(path)?;
        let lock = Lock::take(&path)?;
        let conn = file::open(&path, (options.clock)(), options.max_pages, |what| lock.does(what))?;
        let books = load::load(&conn, (options.clock)(), options.policy)?;
        let reader = Arc::new(Mutex::new(file::open_reader(&path)?));
        let rates = Rates::new(options.clock.clone());
        let desk = Arc::new(Desk::new(books, options.clock, options.policy));
        let retention = Retention::new(options.keep);
        let writer = start_writer(desk.clone(), conn, retention)?;
        let deadline = options.deadline.max(SHORTEST_DEADLINE);
        Ok(Self {
            desk,
            writer: Some(writer),
            reader,
            deadline,
            rates,
            tries: Default::default(),
            posting: Default::default(),
            lock,
        })
    }

    /// What the process that holds a file says of itself; `None` when nobody holds it.
    ///
    /// # Errors
    /// `StoreError::Unusable` when that can't be read.
    pub fn holder(path: &Path) -> Answer<Option<String>> {
        lock::holder(&absolute(path)?)
    }
}

impl Store for SqliteStore {
    fn in_this_runtime(self: Arc<Self>) -> Arc<dyn Store> {
        self
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.desk.close();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has told its waiters by dropping them.
            _ = writer.join();
        }
    }
}

fn start_writer(desk: Arc<Desk>, conn: Connection, retention: Retention) -> Answer<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("store-writer".into())
        .spawn(move || {
            // The desk answers every call with an error once the writer is gone.
            let _shut = Shut(&desk);
            if let Err(error) = desk::run(&desk, &conn, retention) {
                tracing::error!(%error, "the store's writer stopped");
            }
        })
        .map_err(|error| StoreError::Unusable(format!("the store's thread: {error}")))
}

/// Closes the desk when the writer ends, by whatever way.
struct Shut<'a>(&'a Desk);

impl Drop for Shut<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The same file by whatever name, so that it has one lock.
fn absolute(path: &Path) -> Answer<PathBuf> {
    let unusable =
        |error: std::io::Error| StoreError::Unusable(format!("{}: {error}", path.display()));
    let absolute = std::path::absolute(path).map_err(unusable)?;
    match (absolute.parent(), absolute.file_name()) {
        (Some(folder), Some(name)) => Ok(folder.canonicalize().map_err(unusable)?.join(name)),
        _ => Err(StoreError::Unusable(format!("{}: is no file", path.display()))),
    }
}

impl SqliteStore {
    /// As [`SqliteStore::look`], with all that was answered folded into its place before; on a
    /// full disk for this look alone.
    async fn look_at_all<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        match self.desk.write(|books, _| books.let_fold()).await {
            Ok(()) => self.look(look).await,
            Err(StoreError::Full(_)) => {
                self.look(move |conn| Unwritten::look_as_if_written(conn, look)).await
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the file on a thread that may wait for the disk.
    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let reader = self.reader.clone();
        tokio::task::spawn_blocking(move || {
            look(&reader.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .await
        .map_err(|error| StoreError::Unavailable(error.to_string()))?
    }
}
