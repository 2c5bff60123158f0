//! A lease from asking to its end. It ends exactly once: by `settle`, or when it is
//! dropped.

use super::books::{Books, Entry, Place};
use super::hold::OpenHold;
use crate::accounts::{
    AccountId, Charge, ChargeKind, Grant, HoldKey, LeaseAsk, LeaseKey, PlatformId, Points, PoolId,
    Record, Settlement, Tokens, UserId,
};
use crate::front::Usage;
use crate::platforms::Price;
use crate::telemetry::clock;

/// What an attempt used, and whose figure that is.
#[derive(Clone, Copy)]
pub(super) struct Used {
    pub(super) charge: Charge,
    pub(super) counts: Usage,
}

impl Used {
    /// Nothing.
    pub(super) const NOTHING: Self = Self {
        charge: Charge::Release,
        counts: Usage { input: 0, cache_read: 0, cache_write: 0, output: 0, reasoning: 0 },
    };

    /// By the platform's figure.
    pub(super) fn exact(counts: Usage) -> Self {
        Self { charge: Charge::Exact(Tokens(counts.total())), counts }
    }

    /// By our count: the prompt, what was produced, and no less than what the platform told
    /// before it ended, which may be a running total.
    pub(super) fn by_our_count(told: Option<Usage>, prompt: Tokens, produced: Tokens) -> Self {
        let mut counts = told.unwrap_or_default();
        counts.input = counts.input.max(prompt.0);
        counts.output = counts.output.max(produced.0);
        Self { charge: Charge::Estimated(Tokens(counts.total())), counts }
    }

    fn kind(&self) -> ChargeKind {
        match self.charge {
            Charge::Release => ChargeKind::Released,
            Charge::Exact(_) => ChargeKind::Exact,
            Charge::Estimated(_) => ChargeKind::Estimated,
        }
    }
}

/// Tokens set aside for one attempt, or points where the operator's key makes it.
///
/// Dropping it, as when the caller hangs up while the request is on its way,
/// settles it too: with nothing if nothing was sent, else with the prompt's
/// estimate.
pub(super) struct OpenLease {
    key: LeaseKey,
    grant: Grant,
    prompt: Tokens,
    sent: bool,
    bought: Option<Bought>,
    books: Books,
    place: Option<Place>,
}

/// What pays, where it is no account's quota.
struct Bought {
    hold: OpenHold,
    price: Price,
}

/// A lease that was asked for. The caller may hang up before the store answers: then it
/// is released, whether it was granted or not.
pub(super) struct AskedLease(OpenLease);

/// The account of a lease that is not granted yet. The store knows leases by id.
const NOT_YET: AccountId = AccountId(0);

impl OpenLease {
    pub(super) fn ask(
        ask: &LeaseAsk<'_>,
        prompt: Tokens,
        books: Books,
        place: Place,
    ) -> AskedLease {
        let granted_at = clock::now();
        let key = LeaseKey {
            id: ask.id,
            pool: ask.pool,
            platform: ask.platform.clone(),
            account: NOT_YET,
            user: ask.user,
            estimate: ask.estimate,
            granted_at,
        };
        let grant = Grant { account: NOT_YET, remaining: None, candidates: None, granted_at };
        let place = Some(place);
        AskedLease(Self { key, grant, prompt, sent: false, bought: None, books, place })
    }

    /// An attempt with one of the operator's keys: it ends in points.
    pub(super) fn bought(
        hold: OpenHold,
        user: UserId,
        platform: &PlatformId,
        price: Price,
        prompt: Tokens,
        books: &Books,
    ) -> Self {
        let account = AccountId::OPERATOR;
        let HoldKey { id, granted_at, .. } = *hold.key();
        let key = LeaseKey {
            id,
            pool: PoolId(0),
            platform: platform.clone(),
            account,
            user,
            estimate: Tokens::ZERO,
            granted_at,
        };
        let grant = Grant { account, remaining: None, candidates: None, granted_at };
        let bought = Some(Bought { hold, price });
        Self { key, grant, prompt, sent: false, bought, books: books.clone(), place: None }
    }

    pub(super) fn key(&self) -> &LeaseKey {
        &self.key
    }

    pub(super) fn grant(&self) -> Grant {
        self.grant
    }

    /// What the prompt alone comes to by our estimate.
    pub(super) fn prompt(&self) -> Tokens {
        self.prompt
    }

    /// The request leaves now: from here on the platform may bill it.
    pub(super) fn mark_sent(&mut self) {
        self.sent = true;
    }

    /// Whether the platform may have seen the request.
    pub(super) fn was_sent(&self) -> bool {
        self.sent
    }

    /// What a use costs in points; `None` where an account's quota pays.
    pub(super) fn cost(&self, used: &Used) -> Option<Points> {
        let bought = self.bought.as_ref()?;
        Some(if used.charge == Charge::Release {
            Points::ZERO
        } else {
            bought.price.cost(&used.counts)
        })
    }

    /// Ends the lease.
    pub(super) fn settle(mut self, used: &Used) {
        self.end(used, None);
    }

    /// Ends the call's last lease; its record goes the same way.
    pub(super) fn settle_with(mut self, used: &Used, record: Box<Record>) {
        self.end(used, Some(record));
    }

    fn end(&mut self, used: &Used, record: Option<Box<Record>>) {
        let cost = self.cost(used).unwrap_or_default().0.unsigned_abs();
        if let Some(Bought { hold, .. }) = self.bought.take() {
            return hold.end(used.kind(), cost, record);
        }
        let Some(place) = self.place.take() else { return };
        self.books.lease_ended(self.key.id);
        let settlement = Settlement { lease: self.key.clone(), charge: used.charge };
        place.send(Entry { settlement: Some(settlement), hold: None, record });
    }
}

impl AskedLease {
    pub(super) fn granted(self, grant: Grant) -> OpenLease {
        let mut lease = self.0;
        lease.key.account = grant.account;
        lease.key.granted_at = grant.granted_at;
        lease.grant = grant;
        lease.books.lease_opened(lease.key.clone());
        lease
    }

    /// There is nothing to end: the place in the queue is free again.
    pub(super) fn was_refused(mut self) -> Option<Place> {
        self.0.place.take()
    }
}

impl Drop for OpenLease {
    fn drop(&mut self) {
        let used = if self.sent {
            Used::by_our_count(None, self.prompt, Tokens::ZERO)
        } else {
            Used::NOTHING
        };
        self.end(&used, None);
    }
}
