//! Accounts' fixed parts, kept for a few seconds: a lease is followed by one look at
//! what it landed on.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::accounts::{Account, AccountId, IdMap, PoolId};
use crate::telemetry::clock::Stopwatch;

use super::super::{Answer, StoreError};
use super::keys::{Family, account_place};
use super::{RedisStore, corrupt, from_json};

/// How old a kept account may be: every gateway follows a change within 5 s.
const FRESH: Duration = Duration::from_secs(3);

/// How many are kept before all are let go.
const KEPT: usize = 20_000;

#[derive(Default)]
pub(super) struct Places(Mutex<IdMap<AccountId, (Stopwatch, Arc<Account>)>>);

impl Places {
    fn fresh(&self, id: AccountId) -> Option<Arc<Account>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, account) = kept.get(&id)?;
        (since.elapsed() < FRESH).then(|| account.clone())
    }

    pub(super) fn forget(&self, id: AccountId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Forgets one that is kept as of another pool: it was moved since.
    pub(super) fn forget_elsewhere(&self, id: AccountId, pool: PoolId) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.get(&id).is_some_and(|(_, account)| account.pool != pool) {
            kept.remove(&id);
        }
    }

    fn keep(&self, account: &Arc<Account>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(account.id, (Stopwatch::start(), account.clone()));
    }
}

impl Family {
    /// Who can only write Redis might have put another pool's account here.
    pub(super) fn holds(&self, account: &Account) -> Answer<()> {
        if account.lies_in(self.pool, &self.platform) { Ok(()) } else { Err(misplaced()) }
    }
}

fn misplaced() -> StoreError {
    corrupt("account", "it lies where it was not bound to")
}

impl RedisStore {
    pub(super) async fn fixed_part(&self, id: AccountId) -> Answer<Option<Arc<Account>>> {
        if let Some(account) = self.places.fresh(id) {
            return Ok(Some(account));
        }
        let place = redis::cmd("GET").arg(account_place(id)).take();
        let place: Option<String> = self.link.ask(&place).await?;
        let Some(family) = place.as_deref().and_then(Family::read) else { return Ok(None) };
        let fixed = redis::cmd("HGET").arg(family.fixed()).arg(id.0).take();
        let fixed: Option<String> = self.link.ask(&fixed).await?;
        let Some(fixed) = fixed else { return Ok(None) };
        let account = Arc::new(from_json::<Account>("account", &fixed)?);
        if account.id != id {
            return Err(misplaced());
        }
        family.holds(&account)?;
        self.places.keep(&account);
        Ok(Some(account))
    }

    /// The family of an account.
    pub(super) async fn family_of(&self, id: AccountId) -> Answer<Option<Family>> {
        let account = self.fixed_part(id).await?;
        Ok(account.map(|account| Family { pool: account.pool, platform: account.platform.clone() }))
    }
}
