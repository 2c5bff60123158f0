//! What an account is fit for. Only an active one is leased.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const BY_HAND: &str = "by hand";

/// An account's health, with what moved it there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Health {
    /// It answers.
    #[default]
    Active,
    /// It rests until a time.
    Cooling {
        /// When it may be tried again.
        until: Timestamp,
        /// Why it rests.
        reason: String,
        /// It rests because the platform says that its quota is used up.
        out_of_quota: bool,
    },
    /// Its login is no longer good: it needs authorization.
    Expired {
        /// What the platform said.
        reason: String,
    },
    /// The platform has shut it.
    Banned {
        /// What the platform said.
        reason: String,
    },
    /// Its credential is sealed under a key that is not in the ring.
    Locked {
        /// Which key is missing.
        reason: String,
    },
    /// Switched off by a person, or after failures that no pause cured.
    Disabled {
        /// Who or what did it.
        reason: String,
    },
}

impl Health {
    /// Switched off by a person.
    pub fn disabled_by_hand() -> Self {
        Self::Disabled { reason: BY_HAND.to_owned() }
    }

    /// Whether a person switched it off, rather than failures.
    pub fn is_disabled_by_hand(&self) -> bool {
        matches!(self, Self::Disabled { reason } if reason == BY_HAND)
    }

    /// The status word that people and scripts see.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Cooling { .. } => "cooling",
            Self::Expired { .. } => "expired",
            Self::Banned { .. } => "banned",
            Self::Locked { .. } => "locked",
            Self::Disabled { .. } => "disabled",
        }
    }

    /// What moved the account here; `None` for an active one.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Active => None,
            Self::Cooling { reason, .. }
            | Self::Expired { reason }
            | Self::Banned { reason }
            | Self::Locked { reason }
            | Self::Disabled { reason } => Some(reason),
        }
    }

    /// Whether it may be leased at `now`: active, or its pause is over.
    pub fn is_ready(&self, now: Timestamp) -> bool {
        match self {
            Self::Active => true,
            Self::Cooling { until, .. } => *until <= now,
            _ => false,
        }
    }

    /// Whether a failed call may move it to `next`: a pause gives way to a longer one and
    /// to what needs a person; what needs a person gives way to people alone.
    pub fn gives_way_to(&self, next: &Self, now: Timestamp) -> bool {
        match (self, next) {
            (_, Self::Active) => false,
            (current, _) if current.is_ready(now) => true,
            (Self::Cooling { until, .. }, Self::Cooling { until: next, .. }) => next > until,
            (Self::Cooling { .. }, _) => true,
            _ => false,
        }
    }
}
