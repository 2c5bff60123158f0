//! What a fail-over may have lost is given again.
//!
//! A replica that takes over, or a server that restarts, may lack the last of what was
//! acknowledged. A gateway remembers what it settled, ended and recorded in the last minute; when
//! another process is the master, all of it is given again. Nothing counts twice: a lease
//! that has ended left a tombstone, a record has an id.
//!
//! What stays lost is what nobody alive remembers: the settlements of a gateway that ended
//! too, and the oldest of more than [`MOST_SETTLEMENTS`] a minute.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::accounts::{HoldEnd, Record, Resets, Settlement};
use crate::telemetry::clock::Stopwatch;

use super::super::Answer;
use super::RedisStore;
use super::records::{Given, Said};

/// How long a replica may have been behind.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Some 10 MB of each.
const MOST_SETTLEMENTS: usize = 100_000;
const MOST_RECORDS: usize = 10_000;

/// The last minute, and who was the master then.
#[derive(Default)]
pub(super) struct Memory(Mutex<State>);

#[derive(Default)]
struct State {
    masters: Option<BTreeSet<String>>,
    settled: VecDeque<(Stopwatch, Settlement)>,
    ended: VecDeque<(Stopwatch, HoldEnd)>,
    recorded: VecDeque<(Stopwatch, Record)>,
}

impl Memory {
    /// These were acknowledged.
    pub(super) fn settled(&self, batch: Vec<Settlement>) {
        keep(&mut self.state().settled, batch, MOST_SETTLEMENTS);
    }

    /// These were acknowledged.
    pub(super) fn ended(&self, batch: Vec<HoldEnd>) {
        keep(&mut self.state().ended, batch, MOST_SETTLEMENTS);
    }

    /// These were acknowledged. What was said in them, which may be long, is not remembered.
    pub(super) fn recorded(&self, batch: Vec<Record>) {
        keep(&mut self.state().recorded, batch, MOST_RECORDS);
    }

    /// Whether none of these masters is new. While one is down, nothing is forgotten.
    fn knows(&self, masters: &BTreeSet<String>) -> bool {
        let mut state = self.state();
        let known = state.masters.get_or_insert_with(|| masters.clone());
        let is_known = masters.is_subset(known);
        if is_known {
            forget(&mut state.settled);
            forget(&mut state.ended);
            forget(&mut state.recorded);
        }
        is_known
    }

    fn recall(&self) -> (Vec<Settlement>, Vec<HoldEnd>, Vec<Record>) {
        let state = self.state();
        (all(&state.settled), all(&state.ended), all(&state.recorded))
    }

    fn follow(&self, masters: BTreeSet<String>) {
        self.state().masters = Some(masters);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep<T>(kept: &mut VecDeque<(Stopwatch, T)>, batch: Vec<T>, most: usize) {
    let now = Stopwatch::start();
    kept.extend(batch.into_iter().map(|one| (now, one)));
    let over = kept.len().saturating_sub(most);
    kept.drain(..over);
}

fn all<T: Clone>(kept: &VecDeque<(Stopwatch, T)>) -> Vec<T> {
    kept.iter().map(|(_, one)| one.clone()).collect()
}

fn forget<T>(kept: &mut VecDeque<(Stopwatch, T)>) {
    while kept.front().is_some_and(|(since, _)| since.elapsed() > REMEMBERED) {
        kept.pop_front();
    }
}

impl RedisStore {
    /// Gives the last minute again where another process is the master.
    pub(super) async fn keep_up(&self, resets: &Resets) -> Answer<()> {
        let masters = self.link.masters().await?;
        if self.memory.knows(&masters) {
            return Ok(());
        }
        let (settled, ended, recorded) = self.memory.recall();
        let (settlements, holds, records) = (settled.len(), ended.len(), recorded.len());
        self.settle_all(&settled, resets).await?;
        self.end_all(&ended).await?;
        self.record_all(&recorded, &Said::default(), Given::Again).await?;
        self.memory.follow(masters);
        tracing::warn!(
            settlements,
            holds,
            records,
            "another Redis is the master: gave the last minute again"
        );
        Ok(())
    }
}
