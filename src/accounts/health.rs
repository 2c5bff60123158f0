//! What an account is fit for. Only an active one is leased, and one on trial by one
//! request at a time.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const BY_HAND: &str = "by hand";
const ON_ITS_WAY: &str = "its move to another pool was broken off: move it there again, or to the \
                          pool that it is in";

/// What a person can do about an account of this status, which waiting does not heal.
pub fn remedy_of(status: &str) -> &'static str {
    match status {
        "expired" => "it needs authorization: make a new key on the platform and bind it",
        "banned" => {
            "it needs authorization: the platform has shut it, and only its support can help"
        }
        "locked" => "put the missing key back into the ring (TRIBUTARY_MASTER_KEYS)",
        "disabled" => "a person switched it off: `tributary account enable` switches it on",
        _ => "`tributary account check` tells what is wrong",
    }
}

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
        /// When one request may try it, if one may before it is active again. Where that is
        /// the end of the pause, nobody told the end: it stays on trial until a request
        /// succeeds.
        #[serde(default)]
        tries_at: Option<Timestamp>,
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

    /// Between two pools, as long as its move is under way, or where that was broken off.
    pub fn on_its_way() -> Self {
        Self::Disabled { reason: ON_ITS_WAY.to_owned() }
    }

    /// Whether it is between two pools: nothing of it can be changed then.
    pub fn is_on_its_way(&self) -> bool {
        matches!(self, Self::Disabled { reason } if reason == ON_ITS_WAY)
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

    /// What a person can do about it; `None` for an active one.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Active => None,
            Self::Cooling { out_of_quota: true, .. } => {
                Some("wait for the reset, or order more on the platform; `account check` looks now")
            }
            Self::Cooling { .. } => Some("it is tried again by itself; `account check` looks now"),
            Self::Disabled { .. } if self.is_on_its_way() => {
                Some("`tributary account move` finishes its move, or takes it back")
            }
            Self::Disabled { .. } if !self.is_disabled_by_hand() => {
                Some("put right what the reason says; `account check` looks whether it is")
            }
            other => Some(remedy_of(other.status())),
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

    /// Whether anyone may lease it at `now`: active, or its pause ended as it was told.
    pub fn is_ready(&self, now: Timestamp) -> bool {
        match self {
            Self::Active => true,
            Self::Cooling { until, tries_at, .. } => {
                *until <= now && tries_at.is_none_or(|tries_at| tries_at < *until)
            }
            _ => false,
        }
    }

    /// When a pause ends that is tried before.
    pub fn announced_end(&self) -> Option<Timestamp> {
        match self {
            Self::Cooling { until, tries_at: Some(tries_at), .. } if tries_at < until => {
                Some(*until)
            }
            _ => None,
        }
    }

    /// Whether one request at a time may try it at `now`.
    pub fn is_on_trial(&self, now: Timestamp) -> bool {
        matches!(self, Self::Cooling { tries_at: Some(at), .. } if *at <= now)
            && !self.is_ready(now)
    }

    /// Whether a failed call may move it to `next`: a pause gives way to a longer one and
    /// to what needs a person; what needs a person gives way to people alone.
    pub fn gives_way_to(&self, next: &Self, now: Timestamp) -> bool {
        match (self, next) {
            (_, Self::Active) => false,
            (current, _) if current.is_ready(now) || current.is_on_trial(now) => true,
            (Self::Cooling { until, .. }, Self::Cooling { until: next, .. }) => next > until,
            (Self::Cooling { .. }, _) => true,
            _ => false,
        }
    }
}
