//! What a fail-over may have lost is given again.
//!
//! A replica that takes over, or a server that restarts, may lack the last of what was
//! acknowledged. A gateway remembers what it settled, ended and recorded in the last minute, and
//! for longer while no replica is in step; when another is the master, all of it is given
//! again, and again until it has been taken whole. Nothing counts twice: a lease that has
//! ended left a tombstone, a record has an id.
//!
//! A master that woke after another took its place acknowledges what it will lose. So what is
//! remembered is given again as well where the term has changed between its sending and its
//! answer, though the master is one that we knew.
//!
//! What stays lost is what nobody alive remembers: the settlements of a gateway that ended
//! too, the oldest of more than [`MOST_SETTLEMENTS`], and what a master refuses for good.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::accounts::{HoldEnd, Record, Resets, Settlement};
use crate::telemetry::clock::Stopwatch;

use super::super::{Answer, StoreError};
use super::RedisStore;
use super::arguments::TOMBSTONE;
use super::records::{Given, Said};

/// How long a replica that is in step may have been behind.
const REMEMBERED: Duration = Duration::from_secs(60);

/// What is older would not count if it were given again.
const REMEMBERED_ALONE: Duration = TOMBSTONE;

/// Some 10 MB of each.
const MOST_SETTLEMENTS: usize = 100_000;
const MOST_RECORDS: usize = 10_000;

/// How much is given at once: a call waits for all before it on the connection, and would not
/// be answered in time behind a minute's.
const SETTLEMENTS_AT_ONCE: usize = 1024;
const RECORDS_AT_ONCE: usize = 256;

/// What may have to be given again.
#[derive(Default)]
pub(super) struct Memory(Mutex<State>);

#[derive(Default)]
struct State {
    /// The term whose masters have what came before it, unless that is owed to them.
    term: u64,
    is_owed: bool,
    /// Something came while the rest was given.
    came_late: bool,
    /// The most masters that had a replica in step.
    most_followed: usize,
    settled: VecDeque<(Stopwatch, Settlement)>,
    ended: VecDeque<(Stopwatch, HoldEnd)>,
    recorded: VecDeque<(Stopwatch, Record)>,
}

/// How it is with the masters' replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replicas {
    /// In step, or there never were any.
    AsEver,
    /// Fewer masters have one in step than had.
    Missed,
}

impl Replicas {
    fn may_lack(self) -> Duration {
        match self {
            Self::AsEver => REMEMBERED,
            Self::Missed => REMEMBERED_ALONE,
        }
    }
}

/// What is given again.
struct Recalled {
    settled: Vec<Settlement>,
    ended: Vec<HoldEnd>,
    recorded: Vec<Record>,
}

impl Memory {
    /// These were acknowledged; they were sent in that term.
    pub(super) fn settled(&self, batch: Vec<Settlement>, term: u64) {
        keep(&mut self.state_after(term).settled, batch, MOST_SETTLEMENTS);
    }

    /// As [`Memory::settled`].
    pub(super) fn ended(&self, batch: Vec<HoldEnd>, term: u64) {
        keep(&mut self.state_after(term).ended, batch, MOST_SETTLEMENTS);
    }

    /// As [`Memory::settled`]. What was said in them, which may be long, is not remembered.
    pub(super) fn recorded(&self, batch: Vec<Record>, term: u64) {
        keep(&mut self.state_after(term).recorded, batch, MOST_RECORDS);
    }

    /// How it is with the replicas, so many masters having one in step.
    fn replicas(&self, followed: usize) -> Replicas {
        let mut state = self.state();
        state.most_followed = state.most_followed.max(followed);
        if followed < state.most_followed { Replicas::Missed } else { Replicas::AsEver }
    }

    /// Whether the masters of this term have all.
    fn is_given(&self, term: u64) -> bool {
        let state = self.state();
        state.term == term && !state.is_owed
    }

    fn forget(&self, older: Duration) {
        let mut state = self.state();
        forget(&mut state.settled, older);
        forget(&mut state.ended, older);
        forget(&mut state.recorded, older);
    }

    /// What is owed to the masters of this term.
    fn recall(&self, term: u64) -> Recalled {
        let mut state = self.state();
        (state.term, state.is_owed, state.came_late) = (term, true, false);
        Recalled {
            settled: all(&state.settled),
            ended: all(&state.ended),
            recorded: all(&state.recorded),
        }
    }

    /// All that was recalled has been taken.
    fn gave(&self) {
        let mut state = self.state();
        state.is_owed = state.came_late;
    }

    /// The state, to add what was sent in that term.
    fn state_after(&self, term: u64) -> MutexGuard<'_, State> {
        let mut state = self.state();
        if term != state.term {
            (state.is_owed, state.came_late) = (true, true);
        }
        state
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

fn forget<T>(kept: &mut VecDeque<(Stopwatch, T)>, older: Duration) {
    while kept.front().is_some_and(|(since, _)| since.elapsed() > older) {
        kept.pop_front();
    }
}

impl RedisStore {
    /// Gives again what another server than the present master may have taken alone.
    pub(super) async fn keep_up(&self, resets: &Resets) -> Answer<()> {
        let mut replicas = self.memory.replicas(self.link.hear().await?.followed);
        if replicas == Replicas::Missed {
            // It may have been replaced while it stood still.
            self.link.ask_sentinels().await;
            replicas = self.memory.replicas(self.link.hear().await?.followed);
        }
        let term = self.link.term();
        if self.memory.is_given(term) {
            self.memory.forget(replicas.may_lack());
            return Ok(());
        }
        let Recalled { settled, ended, recorded } = self.memory.recall(term);
        let mut refused = Vec::new();
        for some in settled.chunks(SETTLEMENTS_AT_ONCE) {
            refused.extend(for_good(self.settle_all(some, resets).await)?);
        }
        for some in ended.chunks(SETTLEMENTS_AT_ONCE) {
            refused.extend(for_good(self.end_all(some).await)?);
        }
        for some in recorded.chunks(RECORDS_AT_ONCE) {
            let taken = self.record_all(some, &Said::default(), Given::Again).await;
            refused.extend(for_good(taken)?);
        }
        self.memory.gave();
        tracing::warn!(
            settlements = settled.len(),
            holds = ended.len(),
            records = recorded.len(),
            "another Redis is the master: gave again what it may lack"
        );
        refused.into_iter().next().map_or(Ok(()), Err)
    }
}

/// A failure that does not pass: it holds up nothing else, and is told once.
fn for_good(taken: Answer<()>) -> Answer<Option<StoreError>> {
    match taken {
        Err(error) if error.is_passing() => Err(error),
        taken => Ok(taken.err()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Settlement> {
        use crate::accounts::{
            AccountId, Charge, LeaseId, LeaseKey, PoolId, TokenId, Tokens, UserId,
        };
        let lease = LeaseKey {
            id: LeaseId(1),
            pool: PoolId(1),
            platform: "qwen".into(),
            account: AccountId(1),
            user: UserId(1),
            token: TokenId(1),
            model: "qwen-plus".into(),
            estimate: Tokens(1),
            granted_at: crate::telemetry::clock::now(),
        };
        vec![Settlement { lease, charge: Charge::Release }]
    }

    #[test]
    fn what_was_on_its_way_while_another_became_the_master_is_owed() {
        let memory = Memory::default();
        memory.settled(some(), 0);
        assert!(memory.is_given(0));
        assert!(!memory.is_given(1));
        assert_eq!(memory.recall(1).settled.len(), 1);
        assert!(!memory.is_given(1), "not taken yet");
        memory.gave();
        assert!(memory.is_given(1));
        memory.settled(some(), 0);
        assert!(!memory.is_given(1), "it came after the rest was given");
        memory.recall(1);
        memory.ended(Vec::new(), 0);
        memory.gave();
        assert!(!memory.is_given(1), "it came while the rest was given");
        assert_eq!(memory.recall(1).settled.len(), 2);
        memory.gave();
        memory.settled(some(), 1);
        assert!(memory.is_given(1));
    }

    #[test]
    fn more_is_remembered_while_replicas_are_missed_that_there_were() {
        let memory = Memory::default();
        for (followed, secs) in [(0, 60), (2, 60), (1, 600), (0, 600), (2, 60)] {
            let may_lack = memory.replicas(followed).may_lack();
            assert_eq!(may_lack, Duration::from_secs(secs), "{followed}");
        }
    }

    #[test]
    fn what_is_old_enough_is_forgotten() {
        let memory = Memory::default();
        memory.settled(some(), 0);
        memory.forget(REMEMBERED);
        assert_eq!(memory.recall(0).settled.len(), 1);
        memory.forget(Duration::ZERO);
        assert_eq!(memory.recall(0).settled.len(), 0);
    }
}
