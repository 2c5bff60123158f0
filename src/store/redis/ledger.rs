//! The ledger's verbs: each one script, whatever the family's size.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use jiff::Timestamp;
use redis::{Cmd, RedisWrite as _};

use crate::accounts::{
    Account, AccountId, Charge, ChargeKind, Conversation, EARLY_TRY, GatewayTokenRow, Grant, Harm,
    LeaseAsk, LeaseId, LeaseKey, Policy, PoolId, Record, Refusal, Resets, Rest, Settlement,
    ShortKey, TokenUse, Told,
};

use super::super::{Answer, Ledger, StoreError};
use super::arguments::{EARLY_TOMBSTONE, LATE, TOMBSTONE, exactly, millis, tokens};
use super::charges::kind_number;
use super::keys::{self, Family};
use super::link::refused;
use super::records::{Given, take_said};
use super::{RedisStore, corrupt, policies};

/// How much one script does before others get their turn.
pub(super) const A_BATCH: usize = 64;

/// The room for a settlement's arguments: a call that grows step by step is copied at each.
const A_SETTLEMENT: [usize; 8] = [32, 12, 12, 16, 2, 12, 12, 32];

#[async_trait]
impl Ledger for RedisStore {
    async fn token(&self, index: &str) -> Answer<Option<Arc<GatewayTokenRow>>> {
        Ok(self.token_row(index).await?.map(Arc::new))
    }

    async fn reindex_token(&self, old: &GatewayTokenRow, new: GatewayTokenRow) -> Answer<bool> {
        self.add_row(old, &new).await
    }

    async fn note_uses(&self, uses: Vec<TokenUse>) -> Answer<()> {
        all_of(join_all(uses.iter().map(|used| self.note_use(used))).await)
    }

    async fn account(&self, id: AccountId) -> Answer<Option<Arc<Account>>> {
        self.fixed_part(id).await
    }

    async fn policy(&self, pool: PoolId) -> Answer<Policy> {
        self.policy_of(pool).await
    }

    async fn lease(&self, ask: LeaseAsk<'_>) -> Answer<Result<Grant, Refusal>> {
        let family = Family { pool: ask.pool, platform: ask.platform.clone() };
        let begin = || {
            self.roster.touch(&family);
            let mut call = self.call(&self.scripts.lease, &family, ask.resets);
            call.arg(millis(self.options.deadline))
                .arg(millis(Conversation::FRESH))
                .arg(Conversation::KEPT);
            call
        };
        let answer = self.ask_together(&family, begin, |call| add_ask(call, &ask)).await?;
        let granted = read_lease(&answer)?;
        if let Ok(grant) = &granted {
            self.places.forget_elsewhere(grant.account, ask.pool);
        }
        Ok(granted)
    }

    async fn settle(&self, batch: Vec<Settlement>, resets: &Resets) -> Answer<()> {
        let term = self.link.term();
        let settled = self.settle_all(&batch, resets).await;
        self.remember(batch, term, settled)
    }

    async fn zones(&self) -> Answer<Vec<String>> {
        self.link.ask(&redis::cmd("SMEMBERS").arg(keys::ZONES).take()).await
    }

    fn lease_deadline(&self) -> Duration {
        self.options.deadline
    }

    async fn renew(&self, leases: &[LeaseKey]) -> Answer<Vec<LeaseId>> {
        let mut families: BTreeMap<Family, Vec<LeaseId>> = BTreeMap::new();
        for lease in leases {
            families.entry(Family::of(lease)).or_default().push(lease.id);
        }
        let calls = families.iter().flat_map(|(family, ids)| {
            ids.chunks(A_BATCH).map(move |some| self.renew_some(family, some))
        });
        let mut ended = Vec::new();
        let parts = join_all(calls).await.into_iter();
        // A master that is down keeps no other's leases from being prolonged.
        all_of(parts.map(|part| part.map(|some| ended.extend(some))).collect()).map(|()| ended)
    }

    async fn sweep(&self, resets: &Resets) -> Answer<usize> {
        let mut parts =
            vec![self.keep_up(resets).await, self.tell_usual().await, self.forget_audit().await];
        let families: Vec<Family> = self.due_families().await?.into_iter().collect();
        let mut charged = 0;
        // A few at a time: a sweep must not crowd out leases.
        for some in families.chunks(16) {
            let swept = some.iter().map(|family| self.sweep_one(family, resets));
            for one in join_all(swept).await {
                parts.push(one.map(|count| charged += count));
            }
        }
        parts.push(self.look_round().await);
        // A master that is down keeps no other's leases from being charged.
        all_of(parts).map(|()| charged)
    }

    async fn worsen(&self, account: AccountId, granted_at: Timestamp, harm: Harm) -> Answer<bool> {
        self.suffer(account, granted_at, &harm).await
    }

    async fn recovered(&self, account: AccountId) -> Answer<()> {
        self.end_pause(account).await
    }

    async fn block_model(&self, account: AccountId, model: &str, rest: Rest) -> Answer<()> {
        let Some(family) = self.family_of(account).await? else { return Ok(()) };
        let mut call = self.call(&self.scripts.block, &family, &Resets::default());
        call.arg(account.0).arg(model).arg(millis(EARLY_TRY)).arg(millis(rest.after));
        for at in rest.at {
            call.arg(at.as_millisecond());
        }
        self.scripts.block.run(&self.link, &call).await
    }

    async fn learn(&self, batch: Vec<Told>, resets: &Resets) -> Answer<()> {
        all_of(join_all(batch.iter().map(|told| self.hear(told, resets))).await)
    }

    async fn claim_renewal(
        &self,
        account: AccountId,
        claim: LeaseId,
        life: Duration,
    ) -> Answer<bool> {
        self.claim(account, claim, life).await
    }

    async fn end_renewal(&self, account: AccountId, claim: LeaseId) -> Answer<()> {
        self.claim(account, claim, Duration::ZERO).await.map(drop)
    }

    async fn keep_short_key(&self, account: AccountId, key: ShortKey) -> Answer<bool> {
        self.put_short_key(account, key).await
    }

    async fn record(&self, mut batch: Vec<Arc<Record>>) -> Answer<()> {
        let (said, term) = (take_said(&mut batch)?, self.link.term());
        let recorded = self.record_all(&batch, &said, Given::First).await;
        self.remember(batch, term, recorded)
    }

    async fn ping(&self) -> Answer<()> {
        self.link.ask(&redis::cmd("PING")).await
    }

    fn tell_holder(&self, _holder: &str) -> Answer<()> {
        // Many gateways share this store: nobody holds it.
        Ok(())
    }
}

impl RedisStore {
    pub(super) async fn settle_all(&self, batch: &[Settlement], resets: &Resets) -> Answer<()> {
        let mut families: BTreeMap<Family, Vec<&Settlement>> = BTreeMap::new();
        for settlement in batch {
            families.entry(Family::of(&settlement.lease)).or_default().push(settlement);
        }
        let calls = families.iter().flat_map(|(family, settlements)| {
            settlements.chunks(A_BATCH).map(move |some| self.settle_some(family, some, resets))
        });
        all_of(join_all(calls).await)
    }

    async fn settle_some(
        &self,
        family: &Family,
        settlements: &[&Settlement],
        resets: &Resets,
    ) -> Answer<()> {
        let mut call = self.call(&self.scripts.settle, family, resets);
        call.reserve_space_for_args(settlements.iter().flat_map(|_| A_SETTLEMENT));
        call.arg(millis(TOMBSTONE)).arg(millis(EARLY_TOMBSTONE));
        for Settlement { lease, charge } in settlements {
            let kind = match charge {
                Charge::Release => ChargeKind::Released,
                Charge::Exact(_) => ChargeKind::Exact,
                Charge::Estimated(_) => ChargeKind::Estimated,
            };
            call.arg(lease.id.to_string())
                .arg(lease.account.0)
                .arg(lease.user.0)
                .arg(lease.granted_at.as_millisecond())
                .arg(kind_number(kind))
                .arg(tokens(charge.tokens()))
                .arg(lease.token.0)
                .arg(&*lease.model);
        }
        self.scripts.settle.run(&self.link, &call).await
    }

    async fn renew_some(&self, family: &Family, ids: &[LeaseId]) -> Answer<Vec<LeaseId>> {
        let mut call = self.call(&self.scripts.renew, family, &Resets::default());
        call.arg(millis(self.options.deadline));
        for id in ids {
            call.arg(id.to_string());
        }
        let gone: Vec<String> = self.scripts.renew.run(&self.link, &call).await?;
        gone.iter().map(|id| id.parse().map_err(|error| corrupt("lease", error))).collect()
    }

    async fn sweep_one(&self, family: &Family, resets: &Resets) -> Answer<usize> {
        let mut charged = 0;
        let mut failed = None;
        loop {
            let mut call = self.call(&self.scripts.sweep, family, resets);
            let keep = self.options.keep;
            call.arg(A_BATCH).arg(millis(LATE)).arg(millis(keep.age)).arg(exactly(keep.charges()));
            call.arg(millis(Conversation::FRESH));
            let (some, more, why): (usize, u8, String) =
                self.scripts.sweep.run(&self.link, &call).await?;
            charged += some;
            // What failed keeps nothing behind it from its turn.
            if let Some((code, detail)) = why.split_once(' ') {
                failed.get_or_insert_with(|| refused(code, detail));
            }
            if more == 0 {
                return failed.map_or(Ok(charged), Err);
            }
        }
    }
}

/// The outcome of a batch's parts. What may yet be done comes before what never can: who
/// is told that a batch is corrupt knows that all else of it is done.
pub(super) fn all_of(parts: Vec<Answer<()>>) -> Answer<()> {
    let failures = parts.into_iter().filter_map(Result::err);
    let worst = |error: &StoreError| matches!(error, StoreError::Corrupt { .. });
    failures.min_by_key(worst).map_or(Ok(()), Err)
}

/// One ask's arguments.
fn add_ask(call: &mut Cmd, ask: &LeaseAsk<'_>) {
    call.arg(ask.id.to_string())
        .arg(ask.user.0)
        .arg(ask.token.0)
        .arg(&**ask.model)
        .arg(tokens(ask.estimate));
    match ask.only {
        Some(pin) => call.arg(pin.0),
        None => call.arg(""),
    };
    match ask.conversation {
        Some(conversation) => call.arg(conversation.to_string()),
        None => call.arg(""),
    };
    call.arg(ask.except.len());
    for tried in ask.except {
        call.arg(tried.0);
    }
}

fn read_lease(answer: &str) -> Answer<Result<Grant, Refusal>> {
    if let Some(why) = answer.strip_prefix("failed ") {
        let (code, detail) = why.split_once(' ').unwrap_or((why, ""));
        return Err(refused(code, detail));
    }
    let words: Vec<&str> = answer.split(' ').collect();
    let number = |text: &str| text.parse::<i64>().map_err(|error| corrupt("lease", error));
    let at = |text: &str| {
        Timestamp::from_millisecond(number(text)?).map_err(|error| corrupt("lease", error))
    };
    Ok(match words[..] {
        ["granted", account, remaining, candidates, granted_at, ailing, by, stayed] => Ok(Grant {
            account: AccountId(number(account)?),
            remaining: if remaining.is_empty() { None } else { Some(number(remaining)?) },
            candidates: candidates.parse().ok(),
            granted_at: at(granted_at)?,
            ailing: ailing == "1",
            policy: if by.is_empty() { None } else { Some(policies::policy(by)?) },
            stayed: stayed == "1",
        }),
        ["busy"] => Err(Refusal::Busy),
        ["cooling", until] => Err(Refusal::Cooling { until: at(until)? }),
        ["exhausted", ""] => Err(Refusal::Exhausted { resets_at: None }),
        ["exhausted", first] => Err(Refusal::Exhausted { resets_at: Some(at(first)?) }),
        ["unauthorized", account, status] => Err(Refusal::Unauthorized {
            account: AccountId(number(account)?),
            status: super::health::status_word(number(status)?),
        }),
        ["none"] => Err(Refusal::NoAccount),
        _ => return Err(corrupt("lease", "the script answered something else")),
    })
}
