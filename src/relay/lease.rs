//! A lease from asking to its end. It ends exactly once: by `settle`, or when it is
//! dropped.

use super::books::{Books, Entry, Place};
use super::uncounted::{Closing, Uncounted};
use super::words::Words;
use crate::accounts::{AccountId, Charge, Grant, LeaseAsk, LeaseKey, Record, Settlement, Tokens};
use crate::telemetry::clock;

/// Tokens set aside for one attempt.
///
/// Dropping it, as when the caller hangs up while the request is on its way,
/// settles it too: with nothing if nothing was sent, else with the prompt's
/// estimate.
pub(super) struct OpenLease {
    key: LeaseKey,
    grant: Grant,
    prompt: Tokens,
    sent: bool,
    books: Books,
    place: Option<Place>,
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
        AskedLease(Self { key, grant, prompt, sent: false, books, place: Some(place) })
    }

    pub(super) fn key(&self) -> &LeaseKey {
        &self.key
    }

    pub(super) fn grant(&self) -> Grant {
        self.grant
    }

    /// The request leaves now: from here on the platform may bill it.
    pub(super) fn mark_sent(&mut self) {
        self.sent = true;
    }

    /// Whether the platform may have seen the request.
    pub(super) fn was_sent(&self) -> bool {
        self.sent
    }

    /// Ends the lease.
    pub(super) fn settle(mut self, charge: Charge) {
        self.end(charge, None);
    }

    /// Ends the call's last lease; its record goes the same way.
    pub(super) fn settle_with(mut self, charge: Charge, record: Box<Record>) {
        self.end(charge, Some(record));
    }

    /// Ends the call's last lease by a count that is still to be made.
    pub(super) fn settle_by_count(mut self, closing: Closing, words: Words) {
        let Some(place) = self.place.take() else { return };
        self.books.lease_ended(self.key.id);
        let uncounted = Uncounted { lease: self.key.clone(), closing };
        place.send(Entry::Uncounted(Box::new((uncounted, words))));
    }

    fn end(&mut self, charge: Charge, record: Option<Box<Record>>) {
        let Some(place) = self.place.take() else { return };
        self.books.lease_ended(self.key.id);
        let settlement = Settlement { lease: self.key.clone(), charge };
        place.send(Entry::Counted { settlement: Some(settlement), record });
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
        let charge = if self.sent { Charge::Estimated(self.prompt) } else { Charge::Release };
        self.end(charge, None);
    }
}
