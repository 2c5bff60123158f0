//! What goes to the store together, and how it is insisted on.
//!
//! Bodies that are kept with records are heavy: they go in parts that a store takes in time. A
//! batch that it does not take is tried in ever smaller ones, and a record that it does not take
//! at last goes without them: a count is worth more than what was said.

use std::sync::Arc;
use std::time::Duration;

use super::books::Carrier;
use super::hearing::News;
use super::kept::bytes_of;
use super::payer::End;
use super::zones::Zones;
use crate::accounts::{AccountId, HoldEnd, LeaseKey, PoolId, Record, Settlement, Told};
use crate::store::{Answer, Store};
use crate::telemetry::Metrics;
use crate::telemetry::events::{BodiesDropped, HealthMoved, StoreFailed};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// So many bytes of bodies go in one call: a store that serves others too stands still for
/// some milliseconds, and answers in time.
const BODIES_A_CALL: usize = 1 << 20;
/// After so many failures a batch is parted: it may be too much for one call.
const TRIES_OF_MANY: u32 = 2;
/// After so many failures a single record leaves its bodies behind.
const TRIES_OF_ONE: u32 = 4;

/// Settlements, ends of holds and records that go to the store together.
#[derive(Default)]
pub(super) struct Page {
    settlements: Vec<Settlement>,
    holds: Vec<HoldEnd>,
    /// Shared with the store, which may remember them.
    records: Vec<Arc<Record>>,
    heard: Vec<(Arc<LeaseKey>, Box<News>)>,
}

impl Page {
    /// A page with room for so many entries.
    pub(super) fn of(entries: usize) -> Self {
        Self {
            settlements: Vec::with_capacity(entries),
            records: Vec::with_capacity(entries),
            ..Self::default()
        }
    }

    pub(super) fn add(
        &mut self,
        (settlement, hold): End,
        record: Option<Box<Record>>,
        news: Option<Box<News>>,
    ) {
        if let (Some(settlement), Some(news)) = (&settlement, news) {
            self.heard.push((settlement.lease.clone(), news));
        }
        self.settlements.extend(settlement);
        self.holds.extend(hold.map(|hold| *hold));
        self.records.extend(record.map(Arc::from));
    }

    /// The accounts that it settles leases of.
    pub(super) fn accounts(&self) -> Vec<(PoolId, AccountId)> {
        self.settlements.iter().map(|one| (one.lease.pool, one.lease.account)).collect()
    }

    pub(super) async fn carry(self, to: &Carrier) {
        let Carrier { store, zones, metrics, settled, bodies, .. } = to;
        let (store, metrics) = (&**store, &**metrics);
        let Self { settlements, holds, records, heard } = self;
        // Together, so that an embedded store commits all at once, and none waits for another.
        let settling = async {
            if !settlements.is_empty() {
                let give = |batch| settle(store, batch, zones);
                insist(metrics, settlements, |_| {}, give).await;
                settled.notify_waiters();
            }
        };
        let ending = async {
            if !holds.is_empty() {
                insist(metrics, holds, |_| {}, |batch| store.end_holds(batch)).await;
                settled.notify_waiters();
            }
        };
        let recording = async {
            for part in by_weight(records) {
                let bytes = part.iter().map(|record| bytes_of(record)).sum();
                let lighten = |record: &mut Arc<Record>| {
                    if record.bodies.is_some() {
                        Arc::make_mut(record).bodies = None;
                        BodiesDropped { metrics }.emit();
                    }
                };
                insist(metrics, part, lighten, |batch| store.record(batch)).await;
                bodies.gone(bytes);
            }
        };
        tokio::join!(settling, ending, recording);
        // After the settlements: what is used is then counted by both sides.
        if !heard.is_empty()
            && let Err(error) = hear(store, heard, zones).await
        {
            StoreFailed { metrics, why: &error.to_string() }.emit();
        }
    }
}

async fn settle(store: &dyn Store, batch: Vec<Settlement>, zones: &Zones) -> Answer<()> {
    store.settle(batch, &zones.resets()).await
}

/// Passes on what answers told. What the store does not take is not insisted on: the
/// platform tells it again, and after a while it is news again.
async fn hear(
    store: &dyn Store,
    heard: Vec<(Arc<LeaseKey>, Box<News>)>,
    zones: &Zones,
) -> Answer<()> {
    let (mut told, mut harms) = (Vec::new(), Vec::new());
    for (lease, news) in heard {
        let (windows, harm) = news.told();
        if !windows.is_empty() {
            told.push(Told { account: lease.account, windows });
        }
        harms.extend(harm.map(|harm| (lease, harm)));
    }
    let mut done = Ok(());
    if !told.is_empty() {
        done = store.learn(told, &zones.resets()).await;
    }
    for (lease, harm) in harms {
        let status = harm.status();
        match store.worsen(lease.account, lease.granted_at, harm).await {
            Ok(true) => HealthMoved { account: lease.account.0, status }.emit(),
            Ok(false) => {}
            Err(error) => done = Err(error),
        }
    }
    done
}

/// Parts records so that each part is one record, or has no more bodies than go in one call.
fn by_weight(mut records: Vec<Arc<Record>>) -> Vec<Vec<Arc<Record>>> {
    let mut parts = Vec::new();
    while let [first, others @ ..] = &records[..] {
        let mut weight = bytes_of(first);
        let fits = |record: &&Arc<Record>| {
            weight += bytes_of(record);
            weight <= BODIES_A_CALL
        };
        // Mostly all of them: then none is moved.
        let rest = records.split_off(1 + others.iter().take_while(fits).count());
        parts.push(std::mem::replace(&mut records, rest));
    }
    parts
}

/// Tries until the store takes a batch. What it does not take in time may be too much at once:
/// then the batch is given in halves, and an entry alone without what `lighten` takes from it. What a
/// working store can't take, it can't take later either: then the batch is given entry by
/// entry, so that one does not hold up all.
async fn insist<T, F>(
    metrics: &Metrics,
    batch: Vec<T>,
    lighten: impl Fn(&mut T),
    mut give: impl FnMut(Vec<T>) -> F,
) where
    T: Clone,
    F: Future<Output = Answer<()>>,
{
    let mut given = vec![batch];
    while let Some(mut batch) = given.pop() {
        let (mut pause, mut failures) = (FIRST_PAUSE, 0);
        while let Err(error) = give(batch.clone()).await {
            StoreFailed { metrics, why: &error.to_string() }.emit();
            if !error.is_passing() {
                // An entry that is refused alone is lost: its lease's deadline charges it.
                if batch.len() > 1 {
                    given.extend(batch.into_iter().map(|entry| vec![entry]).rev());
                }
                break;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            failures += 1;
            if let [entry] = &mut batch[..] {
                if failures == TRIES_OF_ONE {
                    lighten(entry);
                }
            } else if failures == TRIES_OF_MANY {
                let rest = batch.split_off(batch.len() / 2);
                given.extend([rest, batch]);
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::accounts::KeptBodies;
    use crate::store::StoreError;

    fn slow() -> StoreError {
        StoreError::Unavailable("no answer in time".into())
    }

    #[test]
    fn records_go_together_up_to_a_weight_and_a_heavier_one_alone() {
        let plain = serde_json::json!({
            "id": "r", "at": "2026-11-30T12:00:00Z", "user": 1, "token": 1, "model": "m",
            "streamed": false, "input": 0, "cache_read": 0, "cache_write": 0, "output": 0,
            "reasoning": 0, "estimated": false, "took_ms": 0, "first_byte_ms": null,
            "billing": "quota", "outcome": "ok", "attempts": []
        });
        let record = |bytes: usize| {
            let plain: Record = serde_json::from_value(plain.clone()).unwrap();
            let bodies = |request| KeptBodies { request, response: String::new(), cut: false };
            Arc::new(Record { bodies: (bytes > 0).then(|| bodies("x".repeat(bytes))), ..plain })
        };
        let parts = |bytes: &[usize]| {
            let parts = by_weight(bytes.iter().map(|bytes| record(*bytes)).collect());
            let weights = |part: &Vec<Arc<Record>>| part.iter().map(|one| bytes_of(one)).collect();
            parts.iter().map(weights).collect::<Vec<Vec<_>>>()
        };
        let (most, half) = (BODIES_A_CALL, BODIES_A_CALL / 2);
        assert_eq!(
            parts(&[0, half, half, 0, 1, most, most + 1, 0, 0]),
            [vec![0, half, half, 0], vec![1], vec![most], vec![most + 1], vec![0, 0]]
        );
        assert_eq!(parts(&[]), [[0; 0]; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_is_too_much_for_one_call_goes_in_smaller_ones() {
        let taken = RefCell::new(Vec::new());
        let give = async |batch: Vec<u32>| {
            if batch.iter().sum::<u32>() > 10 {
                return Err(slow());
            }
            taken.borrow_mut().extend(batch);
            Ok(())
        };
        let batch: Vec<u32> = vec![3, 4, 5, 6, 7, 1, 9, 2];
        insist(&Metrics::new(), batch.clone(), |_| {}, give).await;
        assert_eq!(taken.into_inner(), batch);
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_that_is_never_taken_whole_goes_without_its_burden() {
        let taken = RefCell::new(Vec::new());
        let give = async |batch: Vec<u32>| {
            if batch.contains(&99) {
                return Err(slow());
            }
            taken.borrow_mut().extend(batch);
            Ok(())
        };
        let lighten = |entry: &mut u32| *entry = 0;
        insist(&Metrics::new(), vec![1, 99, 2], lighten, give).await;
        assert_eq!(taken.into_inner(), [1, 0, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_comes_back_is_given_all_that_waited() {
        let (down, taken) = (Cell::new(40), RefCell::new(Vec::new()));
        let give = async |batch: Vec<u32>| {
            if down.get() > 0 {
                down.set(down.get() - 1);
                // Its disk is full at times.
                let full = StoreError::Full("free some".into());
                return Err(if down.get() % 2 == 0 { full } else { slow() });
            }
            taken.borrow_mut().extend(batch);
            Ok(())
        };
        let lightened = Cell::new(0);
        let lighten = |_: &mut u32| lightened.set(lightened.get() + 1);
        let batch: Vec<u32> = (0..100).collect();
        insist(&Metrics::new(), batch.clone(), lighten, give).await;
        assert_eq!(taken.into_inner(), batch);
        assert_eq!(lightened.get(), 1, "an outage costs no more than one its burden");
    }
}
