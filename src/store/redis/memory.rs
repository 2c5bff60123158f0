//! What was acknowledged lately: it may have to be given again.
//!
//! Each thing says which term's masters have it: that in which it was sent, or was given again
//! and taken. So a term that begins owes all of it, what a master has taken is not given to it
//! again, and what was on its way meanwhile is owed with the rest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::cluster_routing::Slot;

use crate::accounts::{HoldEnd, Record, Resets, Settlement};
use crate::telemetry::clock::Stopwatch;

use super::super::Answer;
use super::RedisStore;
use super::arguments::TOMBSTONE;
use super::keys::{self, Family};
use super::records::{Given, Said};

/// What is older would not count if it were given again.
pub(super) const LONGEST: Duration = TOMBSTONE;

/// What is remembered.
#[derive(Default)]
pub(super) struct Memory(Mutex<State>);

#[derive(Default)]
pub(super) struct State {
    /// The term whose masters have all, unless something is owed to them.
    term: u64,
    is_owed: bool,
    settled: Kept<Settlement>,
    ended: Kept<HoldEnd>,
    recorded: Kept<Arc<Record>>,
}

/// Things of one kind, in the order they came.
pub(super) struct Kept<T> {
    next: u64,
    all: VecDeque<One<T>>,
}

struct One<T> {
    number: u64,
    since: Stopwatch,
    /// Its masters have it, since then.
    term: u64,
    taken: Stopwatch,
    /// Where it lies, once that was asked.
    slot: Option<Slot>,
    what: T,
}

/// What a gateway remembers.
pub(super) trait Remembered: Clone + Send + Sync {
    /// Some 10 MB.
    const MOST: usize;
    /// How much is given at once: a call waits for all before it on the connection, and would
    /// not be answered in time behind a minute's.
    const AT_ONCE: usize;

    fn kept(state: &mut State) -> &mut Kept<Self>;

    /// A key of the slot that it lies in.
    fn key(&self) -> String;

    fn give(
        some: &[Self],
        store: &RedisStore,
        resets: &Resets,
    ) -> impl Future<Output = Answer<()>> + Send;
}

impl Remembered for Settlement {
    const MOST: usize = 100_000;
    const AT_ONCE: usize = 1024;

    fn kept(state: &mut State) -> &mut Kept<Self> {
        &mut state.settled
    }

    fn key(&self) -> String {
        Family::of(&self.lease).charges()
    }

    async fn give(some: &[Self], store: &RedisStore, resets: &Resets) -> Answer<()> {
        store.settle_all(some, resets).await
    }
}

impl Remembered for HoldEnd {
    const MOST: usize = 100_000;
    const AT_ONCE: usize = 1024;

    fn kept(state: &mut State) -> &mut Kept<Self> {
        &mut state.ended
    }

    fn key(&self) -> String {
        let [purse, ..] = keys::purse(&self.hold.purse);
        purse
    }

    async fn give(some: &[Self], store: &RedisStore, _resets: &Resets) -> Answer<()> {
        store.end_all(some).await
    }
}

/// What was said in it, which may be long, is not remembered.
impl Remembered for Arc<Record> {
    const MOST: usize = 10_000;
    const AT_ONCE: usize = 256;

    fn kept(state: &mut State) -> &mut Kept<Self> {
        &mut state.recorded
    }

    fn key(&self) -> String {
        let [times, ..] = keys::records_of(self.user);
        times
    }

    async fn give(some: &[Self], store: &RedisStore, _resets: &Resets) -> Answer<()> {
        store.record_all(some, &Said::default(), Given::Again).await
    }
}

impl Memory {
    /// These were acknowledged; they were sent in that term.
    pub(super) fn add<T: Remembered>(&self, batch: Vec<T>, term: u64) {
        let mut state = self.state();
        if term != state.term {
            state.is_owed = true;
        }
        T::kept(&mut state).add(batch, term);
    }

    /// Whether the masters of this term have all.
    pub(super) fn is_given(&self, term: u64) -> bool {
        let state = self.state();
        state.term == term && !state.is_owed
    }

    /// From now on things are owed to the masters of this term.
    pub(super) fn begin(&self, term: u64) {
        let mut state = self.state();
        (state.term, state.is_owed) = (term, true);
    }

    /// The numbers of what they may lack. Calls that end wait meanwhile: what these are is asked
    /// of a few at a time.
    pub(super) fn owed<T: Remembered>(&self) -> Vec<u64> {
        let mut state = self.state();
        let term = state.term;
        T::kept(&mut state).owed(term)
    }

    /// Those of these that are still remembered, and where they lie.
    pub(super) fn slots<T: Remembered>(&self, numbers: &[u64]) -> Vec<(u64, Slot)> {
        T::kept(&mut self.state()).slots(numbers)
    }

    /// Those of these that are still remembered.
    pub(super) fn of<T: Remembered>(&self, numbers: &[u64]) -> Vec<T> {
        T::kept(&mut self.state()).of(numbers)
    }

    /// The masters of this term have these.
    pub(super) fn took<T: Remembered>(&self, numbers: &[u64], term: u64) {
        T::kept(&mut self.state()).took(numbers, term);
    }

    /// Something was given: sees whether more is owed.
    pub(super) fn gave(&self) {
        let mut state = self.state();
        let term = state.term;
        state.is_owed =
            state.settled.owes(term) || state.ended.owes(term) || state.recorded.owes(term);
    }

    /// Forgets what the masters have had for longer.
    pub(super) fn forget(&self, older: Duration) {
        let mut state = self.state();
        let (term, is_owed) = (state.term, state.is_owed);
        state.settled.forget(older, term, is_owed);
        state.ended.forget(older, term, is_owed);
        state.recorded.forget(older, term, is_owed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { next: 0, all: VecDeque::new() }
    }
}

impl<T: Remembered> Kept<T> {
    fn add(&mut self, batch: Vec<T>, term: u64) {
        let since = Stopwatch::start();
        for what in batch {
            let number = self.next;
            self.all.push_back(One { number, since, term, taken: since, slot: None, what });
            self.next += 1;
        }
        let over = self.all.len().saturating_sub(T::MOST);
        self.all.drain(..over);
    }

    fn owed(&self, term: u64) -> Vec<u64> {
        self.all.iter().filter(|one| one.term != term).map(|one| one.number).collect()
    }

    fn slots(&mut self, numbers: &[u64]) -> Vec<(u64, Slot)> {
        let each = numbers.iter().filter_map(|&number| {
            let one = self.one(number)?;
            let slot = *one.slot.get_or_insert_with(|| Slot::for_key(one.what.key()));
            Some((number, slot))
        });
        each.collect()
    }

    fn of(&mut self, numbers: &[u64]) -> Vec<T> {
        numbers.iter().filter_map(|&number| Some(self.one(number)?.what.clone())).collect()
    }

    /// `None` where it is forgotten by now.
    fn one(&mut self, number: u64) -> Option<&mut One<T>> {
        let at = self.all.binary_search_by_key(&number, |one| one.number).ok()?;
        self.all.get_mut(at)
    }

    fn owes(&self, term: u64) -> bool {
        self.all.iter().any(|one| one.term != term)
    }

    fn took(&mut self, numbers: &[u64], term: u64) {
        let taken = Stopwatch::start();
        for &number in numbers {
            if let Some(one) = self.one(number) {
                (one.term, one.taken) = (term, taken);
            }
        }
    }

    /// Forgets what the masters of this term have had for longer, however old it is: their replicas
    /// may lack what they took a moment ago. What would not count any more goes in any case.
    fn forget(&mut self, older: Duration, term: u64, is_owed: bool) {
        let is_done = |one: &One<T>| {
            let is_safe = one.term == term && one.taken.elapsed() > older;
            is_safe || one.since.elapsed() > LONGEST
        };
        if is_owed {
            self.all.retain(|one| !is_done(one));
        } else {
            while self.all.front().is_some_and(is_done) {
                self.all.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{AccountId, Charge, LeaseId, LeaseKey, PoolId, TokenId, Tokens, UserId};

    fn some(ids: std::ops::Range<u128>) -> Vec<Settlement> {
        let lease = |id| LeaseKey {
            id: LeaseId(id),
            pool: PoolId(1),
            platform: "qwen".into(),
            account: AccountId(1),
            user: UserId(1),
            token: TokenId(1),
            model: "qwen-plus".into(),
            estimate: Tokens(1),
            granted_at: crate::telemetry::clock::now(),
        };
        ids.map(|id| Settlement { lease: lease(id).into(), charge: Charge::Release }).collect()
    }

    /// The leases that are owed to the masters of a term.
    fn owed(memory: &Memory, term: u64) -> Vec<u128> {
        memory.begin(term);
        leases(memory, &memory.owed::<Settlement>())
    }

    fn leases(memory: &Memory, numbers: &[u64]) -> Vec<u128> {
        memory.of::<Settlement>(numbers).iter().map(|one| one.lease.id.0).collect()
    }

    /// The masters take so many of them.
    fn take(memory: &Memory, many: usize, term: u64) {
        memory.begin(term);
        let numbers = memory.owed::<Settlement>();
        memory.took::<Settlement>(&numbers[..many], term);
        memory.gave();
    }

    #[test]
    fn what_was_on_its_way_while_another_became_the_master_is_owed() {
        let memory = Memory::default();
        memory.add(some(0..1), 0);
        assert!(memory.is_given(0));
        assert!(!memory.is_given(1));
        assert_eq!(owed(&memory, 1), [0]);
        assert!(!memory.is_given(1), "not taken yet");
        take(&memory, 1, 1);
        assert!(memory.is_given(1));
        memory.add(some(1..2), 0);
        assert!(!memory.is_given(1), "it came after the rest was given");
        let numbers = memory.owed::<Settlement>();
        memory.add(some(2..3), 0);
        memory.took::<Settlement>(&numbers, 1);
        memory.gave();
        assert!(!memory.is_given(1), "it came while the rest was given");
        take(&memory, 1, 1);
        memory.add(some(3..4), 1);
        assert!(memory.is_given(1));
    }

    #[test]
    fn what_was_taken_is_given_to_the_next_masters_alone() {
        let memory = Memory::default();
        memory.add(some(0..4), 0);
        take(&memory, 3, 1);
        assert!(!memory.is_given(1));
        memory.add(some(4..5), 1);
        assert_eq!(owed(&memory, 1), [3]);
        take(&memory, 1, 1);
        assert!(memory.is_given(1));
        // These may lack what the last ones took.
        assert!(!memory.is_given(2));
        assert_eq!(owed(&memory, 2), [0, 1, 2, 3, 4]);
        // The last masters are back before it was taken.
        take(&memory, 2, 2);
        assert_eq!(owed(&memory, 3), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn what_is_old_enough_is_forgotten_unless_it_is_owed() {
        let memory = Memory::default();
        memory.add(some(0..2), 0);
        memory.forget(Duration::from_secs(60));
        assert_eq!(owed(&memory, 1).len(), 2);
        take(&memory, 1, 1);
        memory.forget(Duration::ZERO);
        assert_eq!(owed(&memory, 2), [1]);
        take(&memory, 1, 2);
        memory.forget(Duration::ZERO);
        assert_eq!(owed(&memory, 3), [0_u128; 0]);
    }

    #[test]
    fn what_was_taken_a_moment_ago_is_kept_however_long_ago_it_came() {
        for many in [2, 3] {
            let memory = Memory::default();
            memory.add(some(0..3), 0);
            let came = Stopwatch::start();
            std::thread::sleep(Duration::from_millis(500));
            take(&memory, many, 1);
            memory.forget(came.elapsed());
            assert_eq!(owed(&memory, 2), [0, 1, 2], "{many} of 3 were taken");
        }
    }

    #[test]
    fn no_more_than_so_many_are_kept_and_they_keep_their_numbers() {
        let memory = Memory::default();
        memory.add(some(0..3), 0);
        memory.begin(1);
        let before = memory.owed::<Settlement>();
        memory.add(some(3..u128::try_from(Settlement::MOST).unwrap() + 2), 0);
        memory.took::<Settlement>(&before, 1);
        let owed = owed(&memory, 1);
        assert_eq!((owed[0], owed.len()), (3, Settlement::MOST - 1));
    }

    #[test]
    fn what_is_forgotten_while_the_rest_is_given_is_passed_over() {
        let memory = Memory::default();
        memory.add(some(0..4), 0);
        memory.begin(1);
        let numbers = memory.owed::<Settlement>();
        memory.took::<Settlement>(&numbers[1..3], 1);
        memory.forget(Duration::ZERO);
        assert_eq!(leases(&memory, &numbers), [0, 3]);
        let slots = memory.slots::<Settlement>(&numbers);
        let slot = Slot::for_key(some(0..1)[0].key());
        assert_eq!(slots, [(numbers[0], slot), (numbers[3], slot)]);
        assert_eq!(memory.slots::<Settlement>(&numbers), slots, "asked again");
    }
}
