//! Purses: balances of points, and gateway tokens' budgets and rates.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Answer;
use crate::accounts::{
    HoldAsk, HoldEnd, HoldKey, HoldRefusal, Points, PointsEntry, Purse, PurseState, UserId,
};

/// What people do with purses.
#[async_trait]
pub trait Treasury: Send + Sync + 'static {
    /// Gives points to a user, or takes them back; answers the new balance. `None`: there
    /// are not so many that no request holds, or there would be more than can be counted.
    async fn grant_points(
        &self,
        user: UserId,
        points: Points,
        note: &str,
    ) -> Answer<Option<Points>>;
    /// What a purse holds. Holds past their deadline are charged.
    async fn purse(&self, purse: &Purse) -> Answer<PurseState>;
    /// A user's entries, newest first; `before` is the cursor of the last one seen. One that
    /// is none finds nothing.
    async fn points_ledger(
        &self,
        user: UserId,
        before: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<PointsEntry>>;
}

/// What requests move in purses.
#[async_trait]
pub trait Purses: Send + Sync + 'static {
    /// Counts one request of a gateway token, named by its keyed hash. Refused, it counts
    /// nothing, and the answer is how long to wait. Every gateway of a store shares the
    /// limit: so many at once, then as many a minute.
    async fn admit(&self, token: &str, per_minute: NonZeroU32) -> Answer<Result<(), Duration>>;

    /// Sets a part of a purse aside: one atomic step, durable before it answers when it
    /// was granted.
    ///
    /// Where what is left does not suffice but is something, a request whose purse has no
    /// other hold may have all of it: so a purse is overdrawn by one request at most, where
    /// no request takes more than it asked for.
    ///
    /// Asking again with an open id grants once. Drop the future, and the hold is given
    /// back as a lease is ([`super::Ledger::lease`]).
    async fn hold(&self, ask: HoldAsk<'_>) -> Answer<Result<Timestamp, HoldRefusal>>;
    /// Ends holds; durable when it answers, and safe to repeat. One that has ended stays as
    /// it ended, but that an exact figure replaces the estimate that a deadline charged by
    /// the difference, once (of a budget: on the same day).
    async fn end_holds(&self, batch: Vec<HoldEnd>) -> Answer<()>;
    /// Prolongs holds by [`super::Ledger::lease_deadline`]. Of one past its deadline the
    /// estimate is charged: by a sweep, or when its purse is next looked at.
    async fn renew_holds(&self, holds: &[HoldKey]) -> Answer<()>;
}
