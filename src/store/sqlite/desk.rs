//! The desk where verbs meet the books, and the writer that commits what they note.
//!
//! A verb changes the books under a short lock and waits for the commit that holds its
//! notes. While one commit runs, the next batch gathers, and a crowd's commits keep a
//! distance: the more there is to do, the less each costs. When a commit fails, everyone whose notes it held, or who came
//! after it, is told so, and the books are read anew from the file.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use super::super::{Answer, Clock, StoreError};
use super::books::{Books, Folding, Note, Notes};
use super::load::load;
use super::retention::Retention;
use super::statements::Statements;
use super::waiters::{Committed, Waiter};
use crate::accounts::Policy;
use crate::telemetry::clock::Stopwatch;

/// How many calls may wait for a commit; more wait for their turn.
const WAITING: usize = 4096;

/// A commit that follows a shared one begins no sooner after it than this for each who shared
/// it, and [`LONGEST_PACE`] at most. What it costs (pages, locks, two thread switches: some 60 us)
/// is then shared by all who come meanwhile; whoever comes alone never waits.
const PACE: Duration = Duration::from_micros(50);
const LONGEST_PACE: Duration = Duration::from_millis(1);

/// Room for so many notes is kept from one commit for a later one: a batch of a crowd. Otherwise its
/// pages would go back to the system and be asked for again, and notes be moved as it grows.
const SPARE_NOTES: usize = 4096;

/// How soon books that could not be read are read again.
const AGAIN: Duration = Duration::from_millis(500);

/// The desk.
pub(super) struct Desk {
    state: Mutex<State>,
    work: Condvar,
    room: Semaphore,
    clock: Clock,
    /// The policy of pools without one of their own.
    usual: Policy,
}

struct State {
    books: Books,
    waiters: Vec<Waiter>,
    /// Why the books can't be trusted, until they are read anew.
    fault: Option<Arc<StoreError>>,
    /// The writer sleeps and must be woken.
    asleep: bool,
    /// Someone will wake it.
    summoned: bool,
    closed: bool,
}

/// What a verb wants after it changed the books.
pub(super) enum Then<T> {
    /// An answer once the changes are durable.
    Commit(T),
    /// An answer now.
    Answer(T),
}

impl Desk {
    pub(super) fn new(books: Books, clock: Clock, usual: Policy) -> Self {
        Self {
            state: Mutex::new(State {
                books,
                waiters: Vec::new(),
                fault: None,
                asleep: false,
                summoned: false,
                closed: false,
            }),
            work: Condvar::new(),
            room: Semaphore::new(WAITING),
            clock,
            usual,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Looks into the books for what no time changes.
    pub(super) fn peek<T>(&self, look: impl FnOnce(&Books) -> T) -> Answer<T> {
        Ok(look(&self.sound()?.books))
    }

    /// Looks into the books.
    pub(super) fn read<T>(&self, look: impl FnOnce(&Books, Timestamp) -> T) -> Answer<T> {
        let state = self.sound()?;
        Ok(look(&state.books, self.now()))
    }

    /// Changes the books; answers when the change is durable.
    pub(super) async fn write<T>(
        &self,
        change: impl FnOnce(&mut Books, Timestamp) -> T,
    ) -> Answer<T> {
        self.decide(|books, now| Then::Commit(change(books, now))).await
    }

    /// As [`Desk::write`], with the change deciding whether its answer waits.
    pub(super) async fn decide<T>(
        &self,
        change: impl FnOnce(&mut Books, Timestamp) -> Then<T>,
    ) -> Answer<T> {
        let _room = self.room.acquire().await.map_err(|_| closed())?;
        let (answer, committed, summons) = {
            let mut state = self.sound()?;
            match change(&mut state.books, self.now()) {
                Then::Answer(answer) => return Ok(answer),
                Then::Commit(answer) => {
                    let (waiter, committed) = oneshot::channel();
                    state.waiters.push(waiter);
                    (answer, committed, self.summon(&mut state))
                }
            }
        };
        if let Some(summons) = summons {
            // Whatever else is ready to run comes first, so that one commit holds it all.
            tokio::task::yield_now().await;
            drop(summons);
        }
        match committed.await {
            Ok(commit) => commit.outcome().map(|()| answer),
            Err(_) => Err(closed()),
        }
    }

    /// Changes the books for one who no longer waits.
    pub(super) fn leave(&self, change: impl FnOnce(&mut Books, Timestamp)) {
        if let Ok(mut state) = self.sound() {
            change(&mut state.books, self.now());
            self.wake(&mut state);
        }
    }

    /// Lets the writer finish what is noted, and end.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.work.notify_one();
    }

    fn sound(&self) -> Answer<MutexGuard<'_, State>> {
        let state = self.lock();
        match &state.fault {
            None if state.closed => Err(closed()),
            None => Ok(state),
            Some(why) => Err(StoreError::clone(why)),
        }
    }

    /// Locks the state. A verb that panicked may have left the books half changed: they
    /// are read anew.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned: PoisonError<_>| {
            self.state.clear_poison();
            let mut state = poisoned.into_inner();
            state.fault = Some(Arc::new(unavailable("the books were left half changed")));
            self.wake(&mut state);
            state
        })
    }

    /// Wakes the writer, if it sleeps: a wake costs a system call.
    fn wake(&self, state: &mut State) {
        if std::mem::take(&mut state.asleep) {
            self.work.notify_one();
        }
    }

    /// A promise to wake the writer, for the first who needs it.
    fn summon(&self, state: &mut State) -> Option<Summons<'_>> {
        let first = state.asleep && !state.summoned;
        state.summoned |= first;
        first.then(|| Summons(self))
    }

    /// Waits for something to commit; `None` when the desk is closed. The next notes go to `spare`.
    fn next_batch(&self, spare: Vec<Note>) -> Option<Batch> {
        let mut state = self.lock();
        loop {
            if state.closed && state.fault.is_some() {
                return None;
            }
            let closing = state.closed && state.books.is_unfolded();
            let noted = !state.waiters.is_empty() || state.books.has_notes();
            if state.fault.is_some() || noted || closing {
                let folding = if closing { Folding::Now } else { Folding::WhenDue };
                return Some(Batch {
                    closing,
                    notes: state.books.take_notes(folding, spare),
                    waiters: std::mem::take(&mut state.waiters),
                    faulty: state.fault.is_some(),
                });
            }
            if state.closed {
                return None;
            }
            state.asleep = true;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.asleep = false;
            state.summoned = false;
        }
    }

    /// Tells everyone who waits that it was in vain, and reads the books anew.
    fn recover(&self, conn: &Connection, why: StoreError, batch: Vec<Waiter>) {
        let why = Arc::new(why);
        let mut state = self.lock();
        state.fault = Some(why.clone());
        let waiters: Vec<_> = batch.into_iter().chain(std::mem::take(&mut state.waiters)).collect();
        match load(conn, self.now(), self.usual) {
            Ok(books) => {
                state.books = books;
                state.fault = None;
            }
            Err(error) => {
                state.books = Books::new(self.usual);
                state.fault = Some(Arc::new(reason(error)));
                if !state.closed {
                    _ = self.work.wait_timeout(state, AGAIN);
                }
            }
        }
        Committed { waiters, outcome: Err(why) }.tell();
    }
}

/// Wakes the writer when it is dropped, by whatever way.
struct Summons<'a>(&'a Desk);

impl Drop for Summons<'_> {
    fn drop(&mut self) {
        self.0.wake(&mut self.0.lock());
    }
}

struct Batch {
    notes: Notes,
    waiters: Vec<Waiter>,
    faulty: bool,
    /// The desk is closed, and what is unfolded goes with this.
    closing: bool,
}

/// The writer: commits batch after batch until the desk is closed.
pub(super) fn run(desk: &Desk, conn: &Connection, mut retention: Retention) -> Answer<()> {
    let mut statements = Statements::prepare(conn)?;
    let mut spare = Vec::new();
    while let Some(batch) = desk.next_batch(std::mem::take(&mut spare)) {
        let began = Stopwatch::start();
        let pace = match batch.waiters.len() {
            0 | 1 => Duration::ZERO,
            sharers => LONGEST_PACE.min(PACE * u32::try_from(sharers).unwrap_or(u32::MAX)),
        };
        if batch.faulty {
            desk.recover(conn, unavailable("the books are being read anew"), batch.waiters);
            continue;
        }
        match statements.commit(&batch.notes, &mut retention) {
            Ok(()) => Committed { waiters: batch.waiters, outcome: Ok(()) }.tell(),
            // The journal is replayed when the file is opened.
            Err(error) if batch.closing => return Err(error),
            Err(error) => {
                retention.failed();
                desk.recover(conn, reason(error), batch.waiters);
            }
        }
        spare = batch.notes.rows;
        spare.clear();
        spare.shrink_to(SPARE_NOTES);
        let rest = pace.saturating_sub(began.elapsed());
        if !rest.is_zero() {
            std::thread::sleep(rest);
        }
    }
    Ok(())
}

/// A failed commit, or a failed reading of the books, is a matter of time to who waits.
fn reason(error: StoreError) -> StoreError {
    if error.is_passing() { error } else { unavailable(&error.to_string()) }
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.into())
}

fn closed() -> StoreError {
    unavailable("it is shut")
}
