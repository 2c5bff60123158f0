//! Notices in a store: posted once each, read by those who draw from the account's pool,
//! sent by one gateway at a time.

use std::time::Duration;

use async_trait::async_trait;

use super::Answer;
use crate::accounts::{Channel, Delivery, NewNotice, Notice, PoolId, UserId};

/// The most notices that wait to be sent on one channel; the oldest go first.
pub(super) const MOST_WAITING: usize = 10_000;

/// Which notices a reader wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Every one.
    All,
    /// Those that it has not read.
    Unread,
}

/// The notices of a store.
#[async_trait]
pub trait NoticeBoard: Send + Sync + 'static {
    /// Posts a notice, to be sent on these channels; `None`: its key was posted before, by
    /// whatever gateway, or went with a later stage.
    async fn post_notice(&self, new: NewNotice, channels: &[Channel]) -> Answer<Option<Notice>>;
    /// Notices about accounts of some pools, newest first, before a number, each with whether
    /// the reader has read it.
    async fn notices_in(
        &self,
        pools: &[PoolId],
        reader: UserId,
        reading: Reading,
        before: Option<i64>,
        limit: usize,
    ) -> Answer<Vec<(Notice, bool)>>;
    /// Marks a notice about an account of some pools as read; `false`: there is none.
    async fn read_notice(&self, pools: &[PoolId], reader: UserId, id: i64) -> Answer<bool>;
    /// Takes notices that are due to be sent; nobody else is given them for so long.
    async fn claim_notices(
        &self,
        channel: Channel,
        limit: usize,
        life: Duration,
    ) -> Answer<Vec<Delivery>>;
    /// A notice was sent, or given up (`None`), or is to be tried again after a while.
    async fn end_delivery(&self, channel: Channel, id: i64, again: Option<Duration>) -> Answer<()>;
    /// The pools that have accounts, or had.
    async fn pools_of_accounts(&self) -> Answer<Vec<PoolId>>;
}
