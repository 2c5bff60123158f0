//! Leases that are asked for at one time go in one call.
//!
//! A script's keys, its functions and its way there and back cost as much as the lease itself.
//! So while calls for a family are under way, whoever asks next joins the call after them, with
//! all who ask meanwhile. Who asks alone goes at once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use redis::Cmd;
use tokio::sync::oneshot;

use super::super::{Answer, StoreError};
use super::RedisStore;
use super::keys::Family;
use super::ledger::A_BATCH;

/// So many calls of one family are under way at most: while one is answered, another is
/// made ready.
const AT_ONCE: usize = 2;

/// The families that are asked for leases just now, by one runtime.
#[derive(Default)]
pub(super) struct Together(Mutex<Families>);

type Families = HashMap<Family, Asked, RandomState>;

#[derive(Default)]
struct Asked {
    /// How many see to it.
    turns: usize,
    /// Calls that are not sent yet; the last may be joined.
    next: VecDeque<Batch>,
}

/// One call.
struct Batch {
    call: Cmd,
    askers: Vec<oneshot::Sender<Answer<String>>>,
}

impl RedisStore {
    /// A lease's answer. `begin` begins a call, `add` adds this ask to one.
    pub(super) async fn ask_together(
        &self,
        family: &Family,
        begin: impl FnOnce() -> Cmd,
        add: impl FnOnce(&mut Cmd),
    ) -> Answer<String> {
        let (asker, answer) = oneshot::channel();
        if let Some(turn) = Together::join(&self.together, family, begin, add, asker) {
            let store = self.clone();
            self.link.spawn(async move { store.answer_all(turn).await });
        }
        let gone = || StoreError::Unavailable("the gateway is shutting down".into());
        self.link.in_time(answer).await?.unwrap_or_else(|_| Err(gone()))
    }

    /// Sends what is joined, as long as there is something.
    async fn answer_all(&self, mut turn: Turn) {
        while let Some(Batch { call, askers }) = turn.next() {
            let answers: Answer<Vec<String>> = self.scripts.lease.run(&self.link, &call).await;
            let answers = answers.and_then(|answers| match answers.len() == askers.len() {
                true => Ok(answers.into_iter().map(Ok).collect()),
                false => Err(super::corrupt("lease", "the script left one without an answer")),
            });
            let answers: Vec<Answer<String>> =
                answers.unwrap_or_else(|error| vec![Err(error); askers.len()]);
            for (asker, answer) in askers.into_iter().zip(answers) {
                let _ = asker.send(answer); // Who has hung up releases it.
            }
        }
    }
}

/// Whoever has one sees to a family's calls, one after another.
struct Turn {
    together: Arc<Together>,
    family: Family,
    is_over: bool,
}

impl Together {
    /// Joins a call; answers a turn where someone must see to it.
    fn join(
        this: &Arc<Self>,
        family: &Family,
        begin: impl FnOnce() -> Cmd,
        add: impl FnOnce(&mut Cmd),
        asker: oneshot::Sender<Answer<String>>,
    ) -> Option<Turn> {
        let mut families = this.families();
        let asked = families.entry(family.clone()).or_default();
        let joined = asked.next.back_mut().filter(|batch| batch.askers.len() < A_BATCH);
        let is_new = joined.is_none();
        match joined {
            Some(batch) => batch.take(add, asker),
            None => {
                let mut batch = Batch { call: begin(), askers: Vec::new() };
                batch.take(add, asker);
                asked.next.push_back(batch);
            }
        }
        let is_wanted = asked.turns == 0 || (is_new && asked.turns < AT_ONCE);
        asked.turns += usize::from(is_wanted);
        is_wanted.then(|| Turn { together: this.clone(), family: family.clone(), is_over: false })
    }

    fn families(&self) -> MutexGuard<'_, Families> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    fn take(&mut self, add: impl FnOnce(&mut Cmd), asker: oneshot::Sender<Answer<String>>) {
        add(&mut self.call);
        self.askers.push(asker);
    }

    /// Whether somebody waits for it. While a server hangs, they give up.
    fn is_awaited(&self) -> bool {
        self.askers.iter().any(|asker| !asker.is_closed())
    }
}

impl Turn {
    /// The next call. With none the turn is over.
    fn next(&mut self) -> Option<Batch> {
        let together = self.together.clone();
        let mut families = together.families();
        let waiting = &mut families.get_mut(&self.family)?.next;
        let next = std::iter::from_fn(|| waiting.pop_front()).find(Batch::is_awaited);
        if next.is_none() {
            self.end(&mut families);
        }
        next
    }

    fn end(&mut self, families: &mut Families) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        if let Some(asked) = families.get_mut(&self.family) {
            asked.turns -= 1;
            if asked.turns == 0 && asked.next.is_empty() {
                families.remove(&self.family);
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let together = self.together.clone();
        self.end(&mut together.families());
    }
}
