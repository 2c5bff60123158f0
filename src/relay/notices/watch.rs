//! Finding what people should know, behind the answer.
//!
//! The books say which accounts settlements were about; each second the watch looks at
//! those, once however many calls there were, and all accounts now and then: what time alone
//! brings (a credential's end), and what a gateway that was killed did not come to. A call pays
//! an entry in a set.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::super::books::Books;
use super::super::zones::Zones;
use crate::accounts::{AccountId, AccountState, Channel, PoolId, notices_due};
use crate::store::{Answer, Store};
use crate::telemetry::events::{NoticePosted, StoreFailed};
use crate::telemetry::{Metrics, clock};

const EVERY: Duration = Duration::from_secs(1);

/// All accounts are looked at each so many seconds.
const ALL_AFTER: u64 = 3600;

/// How many accounts are looked at in a second.
const A_TURN: usize = 256;

/// How many accounts wait to be looked at; beyond, the look at all finds them.
const MOST_TOUCHED: usize = 20_000;

/// How many keys are known to be taken before all are let go.
const MOST_SAID: usize = 50_000;

/// Accounts that settlements were about, and that nobody has looked at since.
#[derive(Default)]
pub(in super::super) struct Touched(Mutex<HashSet<(PoolId, AccountId)>>);

impl Touched {
    pub(in super::super) fn add(&self, accounts: Vec<(PoolId, AccountId)>) {
        let mut all = self.lock();
        if all.len() < MOST_TOUCHED {
            all.extend(accounts);
        }
    }

    fn take(&self) -> Vec<(PoolId, AccountId)> {
        let mut all = self.lock();
        let some: Vec<_> = all.iter().take(A_TURN).copied().collect();
        some.iter().for_each(|one| _ = all.remove(one));
        some
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<(PoolId, AccountId)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Posts notices, to be sent on these channels, for as long as it lives.
pub async fn watch(
    books: Books,
    store: Arc<dyn Store>,
    zones: Arc<Zones>,
    metrics: Arc<Metrics>,
    channels: Vec<Channel>,
) {
    let touched = books.touched().clone();
    // A place in its queue would keep the books open.
    drop(books);
    let mut watch = Watch { store, zones, metrics, channels, said: HashSet::new() };
    let mut every = tokio::time::interval(EVERY);
    for second in 0_u64.. {
        every.tick().await;
        let done = if second % ALL_AFTER == 0 { watch.look_at_all().await } else { Ok(()) };
        let done = done.and(watch.look_at(touched.take()).await);
        if let Err(error) = done {
            StoreFailed { metrics: &watch.metrics, why: &error.to_string() }.emit();
        }
    }
}

struct Watch {
    store: Arc<dyn Store>,
    zones: Arc<Zones>,
    metrics: Arc<Metrics>,
    channels: Vec<Channel>,
    /// Keys that are known to be taken.
    said: HashSet<String>,
}

impl Watch {
    async fn look_at(&mut self, accounts: Vec<(PoolId, AccountId)>) -> Answer<()> {
        for (pool, account) in accounts {
            let resets = self.zones.resets();
            if let Some(state) = self.store.account_in(&[pool], account, &resets).await? {
                self.post(&state).await?;
            }
        }
        Ok(())
    }

    /// Pool by pool, so that nobody waits for it.
    async fn look_at_all(&mut self) -> Answer<()> {
        for pool in self.store.pools_of_accounts().await? {
            let resets = self.zones.resets();
            for state in self.store.accounts_in(&[pool], &resets).await? {
                self.post(&state).await?;
            }
        }
        Ok(())
    }

    async fn post(&mut self, state: &AccountState) -> Answer<()> {
        for due in notices_due(state, clock::now()) {
            if self.said.contains(&due.key) {
                continue;
            }
            let (key, kind) = (due.key.clone(), due.matter.kind());
            if self.store.post_notice(due, &self.channels).await?.is_some() {
                NoticePosted { metrics: &self.metrics, account: state.account.id.0, kind }.emit();
            }
            if self.said.len() >= MOST_SAID {
                self.said.clear();
            }
            self.said.insert(key);
        }
        Ok(())
    }
}
