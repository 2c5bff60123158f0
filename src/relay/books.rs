//! Bookkeeping behind the answer: settlements and records travel to the store
//! through a bounded queue.
//!
//! A place in the queue is taken before a request is sent, so that a settlement
//! always has one; when the store falls behind, new requests wait. Nobody who holds a
//! place waits for another: a call's record travels with its last settlement. A batch that the
//! store refuses is tried again until it is taken: until then nothing is lost, and
//! after a kill the leases' deadlines charge the estimates.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};

use super::counter::Counter;
use super::hearing::News;
use super::kept::Waiting;
use super::notices::Touched;
use super::page::Page;
use super::uncounted::ToCount;
use super::words::Words;
use super::zones::Zones;
use crate::accounts::{HoldEnd, HoldKey, IdMap, LeaseId, LeaseKey, Record, Settlement};
use crate::front::Usage;
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::telemetry::events::StoreFailed;

const BATCH: usize = 1024;
/// Entries gather for this long: a batch costs two thread switches and a commit, or a round
/// trip, whatever its size. Ten milliseconds rather than two take a tenth off a whole
/// request's CPU, 25 no more; who waits for another's tokens waits by so much longer.
const GATHER: Duration = Duration::from_millis(10);
/// A lease is renewed so many times before its deadline, so that a renewal may fail.
const RENEWALS: u32 = 4;
/// So many seconds after an account was bound at most, its windows' zone is known.
const NEW_ZONES_AFTER: u64 = 3;

/// What the books take in, in one place of the queue.
pub(super) enum Entry {
    /// Whose figures are known.
    Counted {
        settlement: Option<Settlement>,
        hold: Option<Box<HoldEnd>>,
        record: Option<Box<Record>>,
        /// What the answer told of the settled lease's account.
        news: Option<Box<News>>,
    },
    /// Whose tokens are still to be counted.
    Uncounted(ToCount),
}

/// A place in the queue.
pub(super) type Place = mpsc::OwnedPermit<Entry>;

/// The gateway's side of the queues, and the leases and holds that it has open. Each call has
/// it several times, so it is one pointer.
#[derive(Clone)]
pub struct Books(Arc<Sides>);

struct Sides {
    queue: mpsc::Sender<Entry>,
    /// For the ends of tokens' days, which are held while a place above is waited for. Who
    /// holds a place above waits for none here.
    days: mpsc::Sender<Entry>,
    open: Mutex<IdMap<LeaseId, Arc<LeaseKey>>>,
    holds: Mutex<IdMap<LeaseId, HoldKey>>,
    settled: Arc<Notify>,
    /// What calls said that waits in the queues.
    bodies: Waiting,
    counter: Counter,
    touched: Arc<Touched>,
}

/// The store's side: run it with [`Bookkeeper::keep`].
pub struct Bookkeeper {
    queue: mpsc::Receiver<Entry>,
    days: mpsc::Receiver<Entry>,
    books: Books,
}

impl Books {
    /// Books over queues of so many places each.
    pub fn open(places: usize) -> (Books, Bookkeeper) {
        let (sender, receiver) = mpsc::channel(places.max(1));
        let (day_sender, days) = mpsc::channel(places.max(1));
        let books = Books(Arc::new(Sides {
            queue: sender,
            days: day_sender,
            open: Mutex::default(),
            holds: Mutex::default(),
            settled: Arc::new(Notify::new()),
            bodies: Waiting::default(),
            counter: Counter::start(),
            touched: Arc::default(),
        }));
        let keeper = Bookkeeper { queue: receiver, days, books: books.clone() };
        (books, keeper)
    }

    /// Waits for a place. `None` once the books are shut.
    pub(super) async fn place(&self) -> Option<Place> {
        self.0.queue.clone().reserve_owned().await.ok()
    }

    /// Waits for a place for the end of a token's day.
    pub(super) async fn day_place(&self) -> Option<Place> {
        self.0.days.clone().reserve_owned().await.ok()
    }

    /// A place if one is free just now.
    pub(super) fn free_place(&self) -> Option<Place> {
        self.0.queue.clone().try_reserve_owned().ok()
    }

    pub(super) fn lease_opened(&self, lease: Arc<LeaseKey>) {
        self.leases().insert(lease.id, lease);
    }

    pub(super) fn lease_ended(&self, lease: LeaseId) {
        self.leases().remove(&lease);
    }

    pub(super) fn hold_opened(&self, hold: HoldKey) {
        self.holds().insert(hold.id, hold);
    }

    pub(super) fn hold_ended(&self, hold: LeaseId) {
        self.holds().remove(&hold);
    }

    /// What of calls' bodies waits for the store.
    pub(super) fn bodies(&self) -> &Waiting {
        &self.0.bodies
    }

    /// The accounts that settlements were about.
    pub(super) fn touched(&self) -> &Arc<Touched> {
        &self.0.touched
    }

    /// What runs tokenizers.
    pub(super) fn counter(&self) -> &Counter {
        &self.0.counter
    }

    /// Completes when some lease or hold has ended.
    pub(super) fn settled(&self) -> tokio::sync::futures::Notified<'_> {
        self.0.settled.notified()
    }

    fn holds(&self) -> MutexGuard<'_, IdMap<LeaseId, HoldKey>> {
        self.0.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leases(&self) -> MutexGuard<'_, IdMap<LeaseId, Arc<LeaseKey>>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bookkeeper {
    /// Carries entries to the store until every [`Books`] is dropped and the queues are
    /// empty.
    pub async fn keep(self, store: Arc<dyn Store>, zones: Arc<Zones>, metrics: Arc<Metrics>) {
        let Bookkeeper { queue, days, books } = self;
        let (settled, bodies) = (books.0.settled.clone(), books.0.bodies.clone());
        let (counter, touched) = (books.0.counter.clone(), books.0.touched.clone());
        // It has the senders: with it the queues would never end.
        drop(books);
        let carrier = Carrier { store, zones, metrics, settled, bodies, counter, touched };
        tokio::join!(carrier.carry(queue), carrier.carry(days));
    }
}

/// What carries entries to the store.
pub(super) struct Carrier {
    pub(super) store: Arc<dyn Store>,
    pub(super) zones: Arc<Zones>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) settled: Arc<Notify>,
    pub(super) bodies: Waiting,
    counter: Counter,
    touched: Arc<Touched>,
}

impl Carrier {
    async fn carry(&self, mut queue: mpsc::Receiver<Entry>) {
        let mut batch = Vec::new();
        while queue.recv_many(&mut batch, BATCH).await > 0 {
            if batch.len() < BATCH {
                tokio::time::sleep(GATHER).await;
                while let Some(entry) =
                    (batch.len() < BATCH).then(|| queue.try_recv().ok()).flatten()
                {
                    batch.push(entry);
                }
            }
            let mut known = Page::of(batch.len());
            let (mut uncounted, mut words) = (Vec::new(), Vec::new());
            for entry in batch.drain(..) {
                match entry {
                    Entry::Counted { settlement, hold, record, news } => {
                        known.add((settlement, hold), record, news);
                    }
                    Entry::Uncounted(entry) => {
                        uncounted.push(entry.0);
                        words.push(entry.1);
                    }
                }
            }
            let accounts = known.accounts();
            known.carry(self).await;
            self.touched.add(accounts);
            if uncounted.is_empty() {
                continue;
            }
            let mut counted = Page::default();
            for (entry, counts) in uncounted.into_iter().zip(count(&self.counter, words).await) {
                let (end, record, news) = entry.counted(counts);
                counted.add(end, Some(record), news);
            }
            let accounts = counted.accounts();
            counted.carry(self).await;
            self.touched.add(accounts);
        }
    }
}

/// Counts words on the counter's thread; without it, by class.
pub(super) async fn count(counter: &Counter, words: Vec<Words>) -> Vec<Usage> {
    let words = Arc::new(words);
    let counting = words.clone();
    let counted = counter.ask(move || counting.iter().map(Words::count).collect()).await;
    counted.unwrap_or_else(|| words.iter().map(Words::guess).collect())
}

/// Prolongs this gateway's open leases and holds, all in one batch, for as long as it lives.
pub async fn renew(books: Books, store: Arc<dyn Store>, metrics: Arc<Metrics>) {
    let mut every = tokio::time::interval(store.lease_deadline() / RENEWALS);
    every.tick().await;
    loop {
        every.tick().await;
        let open: Vec<LeaseKey> =
            books.leases().values().map(|lease| LeaseKey::clone(lease)).collect();
        if !open.is_empty()
            && let Err(error) = store.renew(&open).await
        {
            StoreFailed { metrics: &metrics, why: &error.to_string() }.emit();
        }
        let holds: Vec<HoldKey> = books.holds().values().cloned().collect();
        if !holds.is_empty()
            && let Err(error) = store.renew_holds(&holds).await
        {
            StoreFailed { metrics: &metrics, why: &error.to_string() }.emit();
        }
    }
}

/// Charges leases past their deadline, each second; looks for new zones now and then.
pub async fn sweep(store: Arc<dyn Store>, zones: Arc<Zones>, metrics: Arc<Metrics>) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    for second in 0_u64.. {
        every.tick().await;
        if second % NEW_ZONES_AFTER == 0 {
            match store.zones().await {
                Ok(names) => zones.know(names),
                Err(error) => StoreFailed { metrics: &metrics, why: &error.to_string() }.emit(),
            }
        }
        match store.sweep(&zones.resets()).await {
            Ok(0) => {}
            Ok(count) => tracing::warn!(count, "leases past their deadline were charged"),
            Err(error) => StoreFailed { metrics: &metrics, why: &error.to_string() }.emit(),
        }
    }
}
