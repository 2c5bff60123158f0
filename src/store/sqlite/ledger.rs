//! The ledger's verbs on the books.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::accounts::{
    Account, AccountId, GatewayTokenRow, Grant, Harm, LeaseAsk, LeaseId, LeaseKey, Policy, PoolId,
    Record, Refusal, Resets, Rest, Settlement, ShortKey, TokenUse, Told, later,
};

use super::super::{Answer, Ledger};
use super::SqliteStore;
use super::books::Ms;
use super::desk::{Desk, Then};

#[async_trait]
impl Ledger for SqliteStore {
    async fn token(&self, index: &str) -> Answer<Option<Arc<GatewayTokenRow>>> {
        self.desk.peek(|books| books.people.token(index).cloned())
    }

    async fn reindex_token(&self, old: &GatewayTokenRow, new: GatewayTokenRow) -> Answer<bool> {
        self.desk.write(|books, _| books.reindex(old, new)).await
    }

    async fn note_uses(&self, uses: Vec<TokenUse>) -> Answer<()> {
        self.desk.write(|books, _| books.note_uses(&uses)).await
    }

    async fn account(&self, id: AccountId) -> Answer<Option<Arc<Account>>> {
        self.desk.peek(|books| books.account(id).map(|entry| entry.fixed.clone()))
    }

    async fn policy(&self, pool: PoolId) -> Answer<Policy> {
        self.desk.peek(|books| books.policy(pool))
    }

    async fn lease(&self, ask: LeaseAsk<'_>) -> Answer<Result<Grant, Refusal>> {
        let unclaimed = Unclaimed { desk: &self.desk, id: ask.id };
        let answer = self
            .desk
            .decide(|books, now| match books.lease(&ask, now, self.deadline_after(now)) {
                Ok(grant) => Then::Commit(Ok(grant)),
                // A refusal holds nothing, so nothing needs to be durable.
                Err(refusal) => Then::Answer(Err(refusal)),
            })
            .await;
        // Answered, so the caller settles it; one that failed was never held.
        std::mem::forget(unclaimed);
        answer
    }

    async fn settle(&self, batch: Vec<Settlement>, resets: &Resets) -> Answer<()> {
        let settle = |books: &mut super::books::Books, now| {
            for settlement in &batch {
                books.settle(settlement, now, resets);
            }
        };
        self.desk.write(settle).await
    }

    async fn zones(&self) -> Answer<Vec<String>> {
        self.desk.read(|books, _| books.zones().into_iter().map(str::to_owned).collect())
    }

    fn lease_deadline(&self) -> Duration {
        self.deadline
    }

    async fn renew(&self, leases: &[LeaseKey]) -> Answer<Vec<LeaseId>> {
        self.desk.write(|books, now| books.renew(leases, self.deadline_after(now))).await
    }

    async fn sweep(&self, resets: &Resets) -> Answer<usize> {
        self.desk.write(|books, now| books.sweep(now, resets)).await
    }

    async fn worsen(&self, account: AccountId, granted_at: Timestamp, harm: Harm) -> Answer<bool> {
        self.desk.write(|books, now| books.worsen(account, granted_at, &harm, now)).await
    }

    async fn recovered(&self, account: AccountId) -> Answer<()> {
        self.desk.write(|books, now| books.recovered(account, now)).await
    }

    async fn block_model(&self, account: AccountId, model: &str, rest: Rest) -> Answer<()> {
        self.desk.write(|books, now| books.block_model(account, model, &rest, now)).await
    }

    async fn learn(&self, batch: Vec<Told>, resets: &Resets) -> Answer<()> {
        self.desk
            .write(|books, now| batch.iter().for_each(|told| books.hear(told, now, resets)))
            .await
    }

    async fn claim_renewal(
        &self,
        account: AccountId,
        claim: LeaseId,
        life: Duration,
    ) -> Answer<bool> {
        // No file needs to know: a claim ends with the one process that can have it.
        self.desk
            .decide(|books, now| {
                Then::Answer(books.claim_renewal(account, claim, later(now, life), now))
            })
            .await
    }

    async fn end_renewal(&self, account: AccountId, claim: LeaseId) -> Answer<()> {
        self.desk
            .decide(|books, _| {
                books.end_renewal(account, claim);
                Then::Answer(())
            })
            .await
    }

    async fn keep_short_key(&self, account: AccountId, key: ShortKey) -> Answer<bool> {
        self.desk.write(|books, _| books.keep_short_key(account, key)).await
    }

    async fn record(&self, batch: Vec<Arc<Record>>) -> Answer<()> {
        self.desk.write(|books, _| batch.into_iter().for_each(|one| books.add_record(one))).await
    }

    async fn ping(&self) -> Answer<()> {
        self.desk.read(|_, _| ())
    }

    fn tell_holder(&self, holder: &str) -> Answer<()> {
        self.lock.tell(holder)
    }
}

impl SqliteStore {
    pub(super) fn deadline_after(&self, now: Timestamp) -> Ms {
        let lasts = i64::try_from(self.deadline.as_millis()).unwrap_or(i64::MAX);
        now.as_millisecond().saturating_add(lasts)
    }
}

/// A lease whose answer is awaited. Dropped before (the caller hung up), it gives the
/// lease back: nobody else knows of it.
struct Unclaimed<'a> {
    desk: &'a Desk,
    id: LeaseId,
}

impl Drop for Unclaimed<'_> {
    fn drop(&mut self) {
        self.desk.leave(|books, now| books.give_back(self.id, now));
    }
}
