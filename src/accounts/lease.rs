//! Leases: tokens set aside on one account before a request is sent.
//!
//! A lease makes parallel requests spread out: the second request sees the
//! account poorer by the first one's estimate, not by its bill. Every lease ends
//! in exactly one charge, by `settle` or by its deadline.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    AccountId, Conversation, LeaseId, PlatformId, Policy, PoolId, Resets, TokenId, Tokens, UserId,
};

/// What a gateway asks of the store for one attempt.
#[derive(Clone, Debug)]
pub struct LeaseAsk<'a> {
    /// The lease's id. Asking again with an open id gives the same answer.
    pub id: LeaseId,
    /// Who calls.
    pub user: UserId,
    /// With which token.
    pub token: TokenId,
    /// The pool to draw from.
    pub pool: PoolId,
    /// The platform that must answer.
    pub platform: &'a PlatformId,
    /// The upstream model, for blocks of one model on an account, and for the totals.
    pub model: &'a Arc<str>,
    /// What the attempt will probably use.
    pub estimate: Tokens,
    /// A pin: this account or none.
    pub only: Option<AccountId>,
    /// Accounts that this request has tried already.
    pub except: &'a [AccountId],
    /// The conversation that the request belongs to, where the pool is sticky.
    pub conversation: Option<Conversation>,
    /// The zones' next two resets.
    pub resets: &'a Resets,
}

impl LeaseAsk<'_> {
    /// How long a lease lives without being renewed.
    pub const DEADLINE: Duration = Duration::from_secs(120);
}

/// A granted lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The account that it is on.
    pub account: AccountId,
    /// What the account had left before the grant; `None` without any limit.
    pub remaining: Option<i64>,
    /// How many accounts could have been chosen, where the store knows.
    pub candidates: Option<u32>,
    /// When it was granted, by the store's clock.
    pub granted_at: Timestamp,
    /// Failures are on the account's record: a success is worth telling.
    pub ailing: bool,
    /// The pool's policy, which chose the account; `None` for a pin.
    pub policy: Option<Policy>,
    /// The account was chosen because its conversation was there before.
    pub stayed: bool,
}

/// Where a lease lies, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseKey {
    /// Its id.
    pub id: LeaseId,
    /// The pool that it was drawn from.
    pub pool: PoolId,
    /// The platform that it was drawn for.
    pub platform: PlatformId,
    /// The account that it is on.
    pub account: AccountId,
    /// Who called.
    pub user: UserId,
    /// With which token.
    pub token: TokenId,
    /// The upstream model.
    pub model: Arc<str>,
    /// What it holds.
    pub estimate: Tokens,
    /// When it was granted, as the grant said. A store that lost the lease in a fail-over
    /// believes a settlement for some minutes after this, and no longer: so that one that
    /// is repeated never counts twice.
    pub granted_at: Timestamp,
}

/// How a lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Charge {
    /// Nothing was sent, or the platform refused it: nothing is charged.
    Release,
    /// The platform's own figure.
    Exact(Tokens),
    /// Our count, marked as such.
    Estimated(Tokens),
}

impl Charge {
    /// The tokens charged.
    pub fn tokens(self) -> Tokens {
        match self {
            Self::Release => Tokens::ZERO,
            Self::Exact(tokens) | Self::Estimated(tokens) => tokens,
        }
    }
}

/// One lease's end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// Which lease.
    pub lease: Arc<LeaseKey>,
    /// What it comes to.
    pub charge: Charge,
}

/// Why a pool grants no lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The pool has no account on that platform (or not the pinned one), or all of them
    /// were tried already by this request.
    NoAccount,
    /// Nothing is left on any; the first resets at an instant that is never too late.
    Exhausted {
        /// The first reset, if one is known.
        resets_at: Option<Timestamp>,
    },
    /// Tokens remain, but leased, or too few for this request.
    Busy,
    /// Every account rests; the first returns at `until`.
    Cooling {
        /// When the first returns.
        until: Timestamp,
    },
    /// Every account needs a person: expired, banned, locked or disabled.
    Unauthorized {
        /// One of them.
        account: AccountId,
        /// Its status word.
        status: &'static str,
    },
}

impl Refusal {
    /// The word in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoAccount => "no_account",
            Self::Exhausted { .. } => "exhausted",
            Self::Busy => "busy",
            Self::Cooling { .. } => "cooling",
            Self::Unauthorized { .. } => "unauthorized",
        }
    }
}
