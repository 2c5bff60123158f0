//! A lease from asking to its end. It ends exactly once: by `settle`, or when it is
//! dropped.

use std::sync::Arc;

use jiff::Timestamp;

use super::books::{Books, Entry, Place};
use super::hearing::News;
use super::hold::OpenHold;
use super::payer::{Payer, Used};
use super::uncounted::{Closing, Uncounted};
use super::words::Words;
use crate::accounts::{
    AccountId, Grant, HoldKey, LeaseAsk, LeaseKey, PlatformId, Points, PoolId, Record, TokenId,
    Tokens, UserId,
};
use crate::front::Usage;
use crate::platforms::Price;

/// Tokens set aside for one attempt, or points where the operator's key makes it.
///
/// Dropping it, as when the caller hangs up while the request is on its way,
/// settles it too: with nothing if nothing was sent, else with the prompt's
/// estimate.
pub(super) struct OpenLease {
    /// Shared with the books, which renew it.
    key: Arc<LeaseKey>,
    grant: Grant,
    prompt: Tokens,
    sent: bool,
    /// The hold of points that pays, where it is no account's quota.
    bought: Option<Box<(HoldKey, Price)>>,
    news: Option<Box<News>>,
    books: Books,
    place: Option<Place>,
}

/// A lease that was asked for. The caller may hang up before the store answers: then it
/// is released, whether it was granted or not.
pub(super) struct AskedLease(OpenLease);

/// The account of a lease that is not granted yet. The store knows leases by id.
const NOT_YET: AccountId = AccountId(0);
/// A bought attempt's key only names its place: what it comes to is its hold's.
const NO_TOKEN: TokenId = TokenId(0);

impl OpenLease {
    pub(super) fn ask(
        ask: &LeaseAsk<'_>,
        granted_at: Timestamp,
        prompt: Tokens,
        books: Books,
        place: Place,
    ) -> AskedLease {
        let key = LeaseKey {
            id: ask.id,
            pool: ask.pool,
            platform: ask.platform.clone(),
            account: NOT_YET,
            user: ask.user,
            token: ask.token,
            model: ask.model.clone(),
            estimate: ask.estimate,
            granted_at,
        };
        let grant = Grant {
            account: NOT_YET,
            remaining: None,
            candidates: None,
            granted_at,
            ailing: false,
            policy: None,
            stayed: false,
        };
        let place = Some(place);
        AskedLease(Self {
            key: Arc::new(key),
            grant,
            prompt,
            sent: false,
            bought: None,
            news: None,
            books,
            place,
        })
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
        let (hold, place) = hold.into_parts();
        let HoldKey { id, granted_at, .. } = hold;
        let key = LeaseKey {
            id,
            pool: PoolId(0),
            platform: platform.clone(),
            account,
            user,
            token: NO_TOKEN,
            model: "".into(),
            estimate: Tokens::ZERO,
            granted_at,
        };
        let grant = Grant {
            account,
            remaining: None,
            candidates: None,
            granted_at,
            ailing: false,
            policy: None,
            stayed: false,
        };
        let (bought, books) = (Some(Box::new((hold, price))), books.clone());
        Self { key: Arc::new(key), grant, prompt, sent: false, bought, news: None, books, place }
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

    /// The request was refused: the platform does not bill it.
    pub(super) fn mark_refused(&mut self) {
        self.sent = false;
    }

    /// What the answer told of the account's limits; it goes with the settlement.
    pub(super) fn heard(&mut self, news: Option<Box<News>>) {
        // An attempt may be answered twice, and what the first answer told is told no more.
        self.news = match (self.news.take(), news) {
            (Some(before), Some(news)) => Some(Box::new(before.then(*news))),
            (before, news) => news.or(before),
        };
    }

    /// Whether the platform may have seen the request.
    pub(super) fn was_sent(&self) -> bool {
        self.sent
    }

    /// What a use costs in points; `None` where an account's quota pays.
    pub(super) fn cost(&self, used: &Used) -> Option<Points> {
        let (_, price) = self.bought.as_deref()?;
        Some(used.cost(price))
    }

    /// Ends the lease.
    pub(super) fn settle(mut self, used: &Used) {
        self.end(used, None);
    }

    /// Ends the call's last lease; its record goes the same way.
    pub(super) fn settle_with(mut self, used: &Used, record: Box<Record>) {
        self.end(used, Some(record));
    }

    /// Ends the call's last lease by a count that is still to be made.
    pub(super) fn settle_by_count(mut self, closing: Closing, words: Words) {
        let Some(place) = self.place.take() else { return };
        self.left();
        let news = self.news.take();
        let uncounted = Uncounted { payer: self.payer(), closing, news };
        place.send(Entry::Uncounted(Box::new((uncounted, words))));
    }

    fn end(&mut self, used: &Used, record: Option<Box<Record>>) {
        let Some(place) = self.place.take() else { return };
        self.left();
        let (settlement, hold) = self.payer().end(used);
        let news = self.news.take();
        place.send(Entry::Counted { settlement, hold, record, news });
    }

    /// It is not to be renewed any more.
    fn left(&self) {
        match self.bought.as_deref() {
            None => self.books.lease_ended(self.key.id),
            Some((hold, _)) => self.books.hold_ended(hold.id),
        }
    }

    fn payer(&self) -> Payer {
        match self.bought.as_deref() {
            None => Payer::Quota(self.key.clone()),
            Some((hold, price)) => Payer::Points(hold.clone(), *price),
        }
    }
}

impl AskedLease {
    pub(super) fn granted(self, grant: Grant) -> OpenLease {
        let mut lease = self.0;
        let key = Arc::get_mut(&mut lease.key).expect("nobody shares it before it is granted");
        key.account = grant.account;
        key.granted_at = grant.granted_at;
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
        let prompt = Usage { input: self.prompt.0, ..Usage::default() };
        let used = if self.sent { Used::estimated(prompt) } else { Used::NOTHING };
        self.end(&used, None);
    }
}
