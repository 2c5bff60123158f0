//! What lies under the keys of the ring, and the verbs by which a rotation moves it.
//!
//! Each verb may be repeated, and a rotation may end between any two: what it has not
//! come to lies where it lay.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::Answer;
use crate::accounts::{AccountId, AccountState, KeptPage, KeptRow, Resets, Rewrap};

/// What a rotation reads and writes.
#[async_trait]
pub trait Sealings: Send + Sync + 'static {
    /// The next accounts by id, whatever their pools. None: there are no more. One that is
    /// added meanwhile comes last.
    async fn accounts_after(
        &self,
        after: Option<AccountId>,
        limit: usize,
        resets: &Resets,
    ) -> Answer<Vec<AccountState>>;
    /// Gives accounts other wrappings; answers of each whether the one that was read was
    /// there still. Nothing else of the account is touched.
    async fn rewrap(&self, batch: Vec<Rewrap>) -> Answer<Vec<bool>>;

    /// Counts kept bodies by their keys, from where an earlier page ended; with `besides`,
    /// answers those that lie under other keys than that, too. What is kept meanwhile may be
    /// counted or not, and one may be counted twice.
    async fn kept_bodies(&self, besides: Option<&str>, after: Option<&str>) -> Answer<KeptPage>;
    /// Puts others in the place of kept bodies that lie under this key still.
    async fn reseal_bodies(&self, kid: &str, batch: Vec<KeptRow>) -> Answer<()>;

    /// Counts so many seals that a key of the ring is about to make; answers the number of
    /// the last, counted from 1. Never too few: an answer that got lost has counted.
    async fn count_seals(&self, kid: &str, seals: u64) -> Answer<u64>;
    /// How often each key has sealed.
    async fn seals(&self) -> Answer<BTreeMap<String, u64>>;

    /// The canary records of the key ring.
    async fn canaries(&self) -> Answer<Vec<String>>;
    /// Adds a canary record.
    async fn add_canary(&self, canary: &str) -> Answer<()>;
    /// Takes a canary record away: nothing lies under its key.
    async fn remove_canary(&self, canary: &str) -> Answer<()>;
}
