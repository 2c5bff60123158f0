//! Pools' policies: facts in a pool's slot, kept for a few seconds.
//!
//! Which policy is usual is each gateway's setting. Should they differ, the word of the gateway
//! that began last holds for all: each carries the newest that it knows, with its time, and
//! pools keep the newest that came. Commands don't say a word, but carry what they find.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

use crate::accounts::{AccountId, IdMap, Policy, PoolId, Priority, Resets};
use crate::telemetry::clock::Stopwatch;

use super::super::Answer;
use super::keys::{self, Family};
use super::ledger::{A_BATCH, all_of};
use super::{RedisStore, corrupt};

/// How old a kept policy may be.
const FRESH: Duration = Duration::from_secs(3);

/// How many are kept before all are let go.
const KEPT: usize = 20_000;

/// The policy of pools without one of their own.
#[derive(Clone, Debug)]
pub(super) struct Usual {
    pub(super) policy: Policy,
    /// Since when, in milliseconds; 0 where no gateway has said it.
    pub(super) since: u64,
    /// Whether this process has said what it is set to.
    said: bool,
    /// `policy since`, as scripts take it and write it.
    pub(super) text: Arc<str>,
}

impl Usual {
    /// A setting that nobody was told of.
    pub(super) fn unsaid(policy: Policy) -> Self {
        Self::since(policy, 0, false)
    }

    fn since(policy: Policy, since: u64, said: bool) -> Self {
        Self { policy, since, said, text: format!("{} {since}", policy.number()).into() }
    }

    /// Reads `policy since`.
    fn read(text: &str) -> Answer<Self> {
        let (number, since) = text.split_once(' ').unwrap_or((text, ""));
        let since = since.parse().map_err(|error| corrupt("usual policy", error))?;
        Ok(Self::since(policy(number)?, since, false))
    }
}

#[derive(Default)]
pub(super) struct Policies(Mutex<IdMap<PoolId, (Stopwatch, Policy)>>);

/// The policy whose number a script gives.
pub(super) fn policy(number: &str) -> Answer<Policy> {
    let known = number.parse().ok().and_then(Policy::numbered);
    known.ok_or_else(|| corrupt("policy", "it has another number"))
}

impl RedisStore {
    pub(super) fn usual(&self) -> Usual {
        self.usual.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn know_usual(&self, usual: Usual) {
        *self.usual.lock().unwrap_or_else(PoisonError::into_inner) = usual;
    }

    /// Finds out what is usual, if a gateway has said it.
    pub(super) async fn find_usual(&self) -> Answer<()> {
        let found = redis::cmd("GET").arg(keys::USUAL_POLICY).take();
        if let Some(found) = self.link.ask::<Option<String>>(&found).await? {
            self.know_usual(Usual::read(&found)?);
        }
        Ok(())
    }

    /// Says what is usual, once: this is a gateway.
    pub(super) async fn tell_usual(&self) -> Answer<()> {
        if self.usual().said {
            return Ok(());
        }
        let (script, policy) = (&self.scripts.tell_usual, self.options.policy);
        let mut call = script.call(&[keys::USUAL_POLICY]);
        call.arg(policy.number());
        let since: u64 = script.run(&self.link, &call).await?;
        self.know_usual(Usual::since(policy, since, true));
        Ok(())
    }

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
        let both = redis::cmd("HMGET").arg(keys::policy(pool)).arg("policy").arg("usual").take();
        let (own, usual): (Option<String>, Option<String>) = self.link.ask(&both).await?;
        let policy = match (own, usual) {
            (Some(own), _) => self::policy(&own)?,
            (None, Some(usual)) => newer(Usual::read(&usual)?, self.usual()).policy,
            (None, None) => self.usual().policy,
        };
        let mut kept = self.policies.lock();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(pool, (Stopwatch::start(), policy));
        Ok(policy)
    }

    /// Should this end half way, sweeps bring the accounts to their places.
    pub(super) async fn give_policy(&self, pool: PoolId, policy: Option<Policy>) -> Answer<()> {
        let mut call = self.scripts.set_policy.call(&[keys::policy(pool)]);
        call.arg(policy.map(|policy| policy.number().to_string()).unwrap_or_default());
        self.scripts.set_policy.run::<()>(&self.link, &call).await?;
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
        let Some(family) = self.family_now(account).await? else { return Ok(None) };
        let mut call = self.call(&self.scripts.set_priority, &family, &Resets::default());
        call.arg(account.0).arg(u8::from(priority));
        let found: bool = self.scripts.set_priority.run(&self.link, &call).await?;
        Ok(found.then_some(()))
    }
}

fn newer(one: Usual, other: Usual) -> Usual {
    if other.since > one.since { other } else { one }
}

impl Policies {
    fn lock(&self) -> std::sync::MutexGuard<'_, IdMap<PoolId, (Stopwatch, Policy)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
