//! Pools' policies: facts in a pool's slot, kept for a few seconds.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

use crate::accounts::{AccountId, Policy, PoolId, Priority, Resets};
use crate::telemetry::clock::Stopwatch;

use super::super::Answer;
use super::keys::{self, Family};
use super::ledger::{A_BATCH, all_of};
use super::{RedisStore, corrupt};

/// How old a kept policy may be.
const FRESH: Duration = Duration::from_secs(3);

/// How many are kept before all are let go.
const KEPT: usize = 20_000;

#[derive(Default)]
pub(super) struct Policies(Mutex<HashMap<PoolId, (Stopwatch, Policy)>>);

/// The policy whose number a script gives.
pub(super) fn policy(number: &str) -> Answer<Policy> {
    let known = number.parse().ok().and_then(Policy::numbered);
    known.ok_or_else(|| corrupt("policy", "it has another number"))
}

impl RedisStore {
    pub(super) async fn own_policy(&self, pool: PoolId) -> Answer<Option<Policy>> {
        let own = redis::cmd("HGET").arg(keys::policy(pool)).arg("policy").take();
        let own: Option<String> = self.link.ask(&own).await?;
        own.as_deref().map(policy).transpose()
    }

    pub(super) async fn policy_of(&self, pool: PoolId) -> Answer<Policy> {
        if let Some((since, policy)) = self.policies.lock().get(&pool)
            && since.elapsed() < FRESH
        {
            return Ok(*policy);
        }
        let policy = self.own_policy(pool).await?.unwrap_or(self.options.policy);
        let mut kept = self.policies.lock();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(pool, (Stopwatch::start(), policy));
        Ok(policy)
    }

    /// Should this end half way, sweeps bring the accounts to their places.
    pub(super) async fn give_policy(&self, pool: PoolId, policy: Option<Policy>) -> Answer<()> {
        let key = keys::policy(pool);
        let write = match policy {
            Some(policy) => redis::cmd("HSET").arg(key).arg("policy").arg(policy.number()).take(),
            None => redis::cmd("HDEL").arg(key).arg("policy").take(),
        };
        self.link.ask::<()>(&write).await?;
        self.policies.lock().remove(&pool);
        let families = self.families_in(&[pool]).await?;
        all_of(join_all(families.iter().map(|family| self.reorder(family))).await)
    }

    async fn reorder(&self, family: &Family) -> Answer<()> {
        loop {
            let mut call = self.call(&self.scripts.reorder, family, &Resets::default());
            call.arg(A_BATCH);
            if !self.scripts.reorder.run::<bool>(&self.link, &call).await? {
                return Ok(());
            }
        }
    }

    pub(super) async fn give_priority(
        &self,
        account: AccountId,
        priority: Priority,
    ) -> Answer<Option<()>> {
        let Some(family) = self.family_of(account).await? else { return Ok(None) };
        let mut call = self.call(&self.scripts.set_priority, &family, &Resets::default());
        call.arg(account.0).arg(u8::from(priority));
        let found: bool = self.scripts.set_priority.run(&self.link, &call).await?;
        Ok(found.then_some(()))
    }
}

impl Policies {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PoolId, (Stopwatch, Policy)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
