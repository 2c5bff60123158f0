//! An account: a bound login, its windows, and its sealed credential.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, Health, PlatformId, PoolId, Priority, Tokens, UserId, Window, WindowSpec};
use crate::vault::{Place, SealedCredential};

/// What is bound when an account is added. Its id was reserved before, because the
/// seal is bound to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewAccount {
    /// The reserved id.
    pub id: AccountId,
    /// Whose pool it joins.
    pub pool: PoolId,
    /// Who bound it.
    pub owner: UserId,
    /// The MAC over its id and its owner, which alone may take it to another pool.
    #[serde(default)]
    pub owner_proof: String,
    /// Where it lives.
    pub platform: PlatformId,
    /// The name that its owner gave it; unique within pool and platform.
    pub name: String,
    /// The dialect that it was bound for, if the credential does not decide.
    pub dialect: Option<String>,
    /// Its windows.
    pub windows: Vec<WindowSpec>,
    /// Where it comes under [`super::Policy::Priority`].
    #[serde(default)]
    pub priority: Priority,
    /// Its sealed credential.
    pub sealed: SealedCredential,
    /// Counts up with each new credential; part of the seal.
    pub generation: u64,
    /// When the credential ends, if it tells.
    pub expires_at: Option<Timestamp>,
}

/// An account's fixed part: what a request needs after its lease.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The pool that it is in.
    pub pool: PoolId,
    /// Who bound it.
    pub owner: UserId,
    /// The MAC over its id and its owner; empty where it was bound before there was one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner_proof: String,
    /// Where it lives.
    pub platform: PlatformId,
    /// The name that its owner gave it.
    pub name: String,
    /// The dialect that it was bound for.
    pub dialect: Option<String>,
    /// Its sealed credential.
    pub sealed: SealedCredential,
    /// The credential's generation.
    pub generation: u64,
    /// When the credential ends, if it tells.
    pub expires_at: Option<Timestamp>,
    /// When it was bound.
    pub created_at: Timestamp,
    /// The key that its platform made of its credential for a short time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short_key: Option<ShortKey>,
}

/// A key that a platform made of an account's credential for a short time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShortKey {
    /// The key, sealed.
    pub sealed: SealedCredential,
    /// The generation of the credential that it was made of.
    pub generation: u64,
    /// From then on a new one is made.
    pub renew_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
}

impl Account {
    /// Where a secret of this account lies.
    pub fn place<'a>(&'a self, field: &'a str) -> Place<'a> {
        Place {
            pool: self.pool.0,
            account: self.id.0,
            platform: self.platform.as_str(),
            field,
            generation: self.generation,
        }
    }

    /// Whether it was bound to this pool and platform: its seal holds nowhere else, and nor
    /// does it serve anybody there.
    pub fn lies_in(&self, pool: PoolId, platform: &PlatformId) -> bool {
        self.pool == pool && self.platform == *platform
    }

    /// Its short-lived key, if that is made of the credential that it has now.
    pub fn own_short_key(&self) -> Option<&ShortKey> {
        self.short_key.as_ref().filter(|key| key.generation == self.generation)
    }

    /// Takes in a new short-lived key; `false`: it is made of a credential that the account
    /// has no more, or ends before the one that is there.
    pub fn take_short_key(&mut self, key: ShortKey) -> bool {
        let fits = key.generation == self.generation
            && self.own_short_key().is_none_or(|known| known.ends_at <= key.ends_at);
        if fits {
            self.short_key = Some(key);
        }
        fits
    }
}

/// An account with what moves: health, windows, leases. What `account list` shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccountState {
    /// The fixed part.
    pub account: Account,
    /// Where it comes under [`super::Policy::Priority`].
    #[serde(default)]
    pub priority: Priority,
    /// Its health.
    pub health: Health,
    /// Its windows, rolled to the time of the question.
    pub windows: Vec<Window>,
    /// Tokens in open leases.
    pub leased: Tokens,
    /// When it was last leased.
    pub last_used_at: Option<Timestamp>,
}

impl AccountState {
    /// The tightest window's rest less what is leased; `None` without any limit.
    pub fn remaining(&self) -> Option<i64> {
        let left = self.windows.iter().filter_map(Window::left).min()?;
        Some(left.saturating_sub(self.leased.signed()))
    }
}
