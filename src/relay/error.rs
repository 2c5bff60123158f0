//! Why a call got no answer.

use std::cmp::Reverse;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;

use crate::accounts::{AccountId, PlatformId, Tokens, remedy_of};
use crate::front::BadRequest;
use crate::platforms::{PlatformError, Reader};
use crate::store::StoreError;
use crate::telemetry::clock;

/// A failed call. `api/error.rs` alone turns it into an answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The caller must change the request.
    #[error(transparent)]
    Bad(#[from] BadRequest),
    /// No such account among the caller's.
    #[error("there is no account {0}")]
    AccountNotFound(AccountId),
    /// Nobody among the caller's accounts has this model.
    #[error("{hint}")]
    ModelNotFound {
        /// What was asked for, and what to bind or to call instead.
        hint: String,
    },
    /// Every account's quota is used up.
    #[error("every {platform} account is out of quota")]
    Exhausted {
        /// The platform.
        platform: PlatformId,
        /// The first reset, if one is known.
        resets_at: Option<Timestamp>,
    },
    /// No quota is left, and points can't pay.
    #[error("{quota}; {points}")]
    NothingLeft {
        /// What ran out, and when the first returns.
        quota: Box<CallError>,
        /// Why points can't pay.
        points: PointsSaid,
    },
    /// No quota is left, and the points are held by the caller's other requests.
    #[error("no quota is left, and other requests hold what is left of your points")]
    PointsHeld,
    /// The token makes too many requests.
    #[error("this token may make {limit} requests a minute")]
    OverRate {
        /// How many a minute.
        limit: NonZeroU32,
        /// When the next may come.
        retry_after: Duration,
    },
    /// The token's day is used up, or held by its other requests.
    #[error("this token may use {limit} tokens a day (UTC)")]
    OverBudget {
        /// How many a day.
        limit: Tokens,
        /// When they are back; `None`: others hold what is left.
        resets_at: Option<Timestamp>,
    },
    /// Every account is busy or rests.
    #[error("every {platform} account {why}")]
    Limited {
        /// The platform.
        platform: PlatformId,
        /// Is busy, or rests.
        why: &'static str,
        /// When the first returns.
        retry_after: Duration,
    },
    /// Every account needs a person.
    #[error("account {account} on {platform} is {status}: {}", remedy_of(status))]
    Unauthorized {
        /// The platform.
        platform: PlatformId,
        /// One of the accounts.
        account: AccountId,
        /// Its status word.
        status: &'static str,
    },
    /// A platform's refusal, on this account.
    #[error("account {account} on {platform} gave no answer")]
    Platform {
        /// The platform.
        platform: PlatformId,
        /// The account.
        account: AccountId,
        /// What the platform said.
        error: PlatformError,
        /// Who the caller is to the account.
        reader: Reader,
    },
    /// A platform could not be reached.
    #[error("{platform} could not be reached")]
    Unreachable {
        /// The platform.
        platform: PlatformId,
    },
    /// A platform was too slow.
    #[error("{platform} gave no answer within {seconds} s")]
    TimedOut {
        /// The platform.
        platform: PlatformId,
        /// How long was waited.
        seconds: u64,
    },
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The gateway is shutting down.
    #[error("the gateway is shutting down")]
    ShuttingDown,
}

/// Why points can't pay for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointsSaid {
    /// None are left.
    #[error("your points are used up too")]
    Gone,
    /// The token never spends them.
    #[error("this token never spends points")]
    Never,
    /// The operator's key was refused.
    #[error("the operator's key for points could not be used")]
    KeyFailed,
}

impl CallError {
    /// The word in records and metrics.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Bad(_) => "bad_request",
            Self::AccountNotFound(_) => "account_not_found",
            Self::ModelNotFound { .. } => "model_not_found",
            Self::Exhausted { .. } => "insufficient_quota",
            Self::NothingLeft { quota, .. } => quota.outcome(),
            Self::Limited { .. }
            | Self::PointsHeld
            | Self::OverRate { .. }
            | Self::OverBudget { .. } => "rate_limit_exceeded",
            Self::Unauthorized { .. } => "account_unauthorized",
            Self::Platform { error, .. } => error.class.in_front().2,
            Self::Unreachable { .. } => "upstream_error",
            Self::TimedOut { .. } => "upstream_timeout",
            Self::Store(_) | Self::ShuttingDown => "store_unavailable",
        }
    }

    /// Whether what it lacks is quota.
    pub(super) fn is_exhaustion(&self) -> bool {
        use crate::platforms::ErrorClass::QuotaExhausted;
        match self {
            Self::Exhausted { .. } => true,
            Self::Platform { error, .. } => error.class == QuotaExhausted,
            _ => false,
        }
    }

    /// Whether an account has quota left and returns by itself.
    pub(super) fn is_passing(&self) -> bool {
        use crate::platforms::ErrorClass::RateLimited;
        match self {
            Self::Limited { .. } => true,
            Self::Platform { error, .. } => error.class == RateLimited,
            _ => false,
        }
    }

    /// Of several reasons why nobody answered, the caller hears the most hopeful: what
    /// heals by itself before what needs a person, and of a kind what comes back first.
    pub(super) fn hope(&self) -> (u8, Reverse<Duration>) {
        let wait = match self {
            Self::Limited { retry_after, .. } => Some(*retry_after),
            Self::Platform { error, .. } => error.retry_after,
            Self::Exhausted { resets_at, .. } => {
                resets_at.and_then(|at| at.duration_since(clock::now()).try_into().ok())
            }
            _ => None,
        };
        (self.kind_of_hope(), Reverse(wait.unwrap_or(Duration::MAX)))
    }

    fn kind_of_hope(&self) -> u8 {
        use crate::platforms::ErrorClass as Class;
        match self {
            Self::Limited { .. } | Self::PointsHeld => 5,
            Self::Platform { error, .. } => match error.class {
                Class::RateLimited => 5,
                Class::Overloaded | Class::UpstreamFault => 4,
                Class::QuotaExhausted => 3,
                Class::AuthExpired | Class::Banned => 2,
                Class::InvalidRequest | Class::ContentFiltered => 6,
                Class::NotFound => 1,
            },
            Self::Unreachable { .. } | Self::TimedOut { .. } => 4,
            Self::Exhausted { .. } | Self::NothingLeft { .. } => 3,
            Self::Unauthorized { .. } => 2,
            Self::ModelNotFound { .. } => 0,
            Self::Bad(_)
            | Self::AccountNotFound(_)
            | Self::OverRate { .. }
            | Self::OverBudget { .. }
            | Self::Store(_)
            | Self::ShuttingDown => 6,
        }
    }
}
