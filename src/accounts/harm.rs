//! What failed calls do to an account, by the store's clock.
//!
//! A gateway says what it was told (an instant of the platform's, or how long to wait),
//! never an instant of its own clock: clocks of gateways differ. The store counts the
//! failures, so that all gateways count together.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Health, LeaseId};

/// What a failed call does to the account that it ran on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Harm {
    /// The platform said, or is known by its error, when to come back.
    Rest {
        /// When that is.
        rest: Rest,
        /// Why, in words for the account's owner.
        reason: String,
        /// It is the quota that is used up.
        out_of_quota: bool,
    },
    /// It failed without a word on when to come back.
    Strike {
        /// How strikes add up.
        scale: Scale,
        /// Why, in words for the account's owner.
        reason: String,
        /// It is the quota that is used up.
        out_of_quota: bool,
    },
    /// It needs a person.
    Stuck(Health),
}

/// When an account, or a model on it, is worth another try.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// Instants that do not hang on a gateway's clock: the first that lies ahead counts.
    pub at: Vec<Timestamp>,
    /// After this long, where none lies ahead.
    pub after: Duration,
}

/// How failures in a row add up to pauses, each twice as long as the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// So many are forgiven.
    pub forgiven: u32,
    /// The first pause.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

/// A spent quota whose reset was announced is tried by one request this often all the
/// same: platforms reset early, and nobody tells.
pub const EARLY_TRY: Duration = Duration::from_secs(3600);

impl Harm {
    /// The status word that it may lead to.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Rest { .. } | Self::Strike { .. } => "cooling",
            Self::Stuck(health) => health.status(),
        }
    }
}

impl Rest {
    /// So long from now, by the store's clock.
    pub fn after(after: Duration) -> Self {
        Self { at: Vec::new(), after }
    }

    /// The instant that it comes to at `now`.
    pub fn until(&self, now: Timestamp) -> Timestamp {
        let ahead = self.at.iter().copied().filter(|&at| at > now).min();
        ahead.unwrap_or_else(|| later(now, self.after))
    }
}

impl Scale {
    /// The pause after so many failures in a row, if they are not forgiven.
    pub fn pause(&self, strikes: u32) -> Option<Duration> {
        let beyond = strikes.checked_sub(self.forgiven.saturating_add(1))?;
        Some(self.first.saturating_mul(1 << beyond.min(16)).min(self.longest))
    }
}

/// An account's health with what it hangs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Its health.
    #[serde(flatten)]
    pub health: Health,
    /// Failures in a row.
    #[serde(default)]
    pub strikes: u32,
    /// When the last of them was counted.
    #[serde(default)]
    pub struck_at: Option<Timestamp>,
    /// The one request that tries it.
    #[serde(default)]
    pub trial: Option<LeaseId>,
}

impl From<Health> for Condition {
    fn from(health: Health) -> Self {
        Self { health, ..Self::default() }
    }
}

impl Condition {
    /// Whether a success of a call that is granted at `now` would clear something.
    pub fn is_ailing(&self, now: Timestamp) -> bool {
        self.strikes > 0 || self.health.is_on_trial(now)
    }

    /// Ends a pause whose time has come; answers whether one ended.
    pub fn rouse(&mut self, now: Timestamp) -> bool {
        let ended = self.health != Health::Active && self.health.is_ready(now);
        if ended {
            self.health = Health::Active;
            self.trial = None;
        }
        ended
    }

    /// Takes in the failure of a call that was granted at `granted_at`; answers whether
    /// the health moved.
    ///
    /// Calls that were under way together fail together, by one cause: those granted
    /// before the last strike are none of their own.
    pub fn suffer(&mut self, harm: &Harm, granted_at: Timestamp, now: Timestamp) -> bool {
        let next = match harm {
            Harm::Stuck(health) => health.clone(),
            Harm::Rest { rest, reason, out_of_quota } => {
                let until = rest.until(now);
                let early = later(now, EARLY_TRY);
                Health::Cooling {
                    until,
                    reason: reason.clone(),
                    out_of_quota: *out_of_quota,
                    tries_at: (*out_of_quota && early < until).then_some(early),
                }
            }
            Harm::Strike { scale, reason, out_of_quota } => {
                if self.struck_at.is_some_and(|struck_at| granted_at < struck_at) {
                    return false;
                }
                self.strikes = self.strikes.saturating_add(1);
                self.struck_at = Some(now);
                let Some(pause) = scale.pause(self.strikes) else { return false };
                let until = later(now, pause);
                let (reason, out_of_quota) = (reason.clone(), *out_of_quota);
                Health::Cooling { until, reason, out_of_quota, tries_at: Some(until) }
            }
        };
        let moves = self.health.gives_way_to(&next, now);
        if moves {
            self.health = next;
            self.trial = None;
        }
        moves
    }

    /// Takes in a success: it wipes the slate, and ends a pause, unless quota is what the
    /// account rests for and it is not on trial. Answers whether anything changed.
    pub fn recover(&mut self, now: Timestamp) -> bool {
        let roused = self.rouse(now);
        let ends = match &self.health {
            Health::Active => self.strikes > 0,
            Health::Cooling { out_of_quota, .. } => !out_of_quota || self.health.is_on_trial(now),
            _ => false,
        };
        if ends {
            *self = Self::default();
        }
        roused || ends
    }
}

/// `now` and a pause. A pause beyond the calendar's end becomes a day.
pub fn later(now: Timestamp, pause: Duration) -> Timestamp {
    SignedDuration::try_from(pause)
        .ok()
        .and_then(|pause| now.checked_add(pause).ok())
        .unwrap_or(now + SignedDuration::from_hours(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: Scale =
        Scale { forgiven: 2, first: Duration::from_secs(5), longest: Duration::from_secs(600) };

    #[test]
    fn the_third_failure_in_a_row_pauses_and_each_further_one_doubles() {
        let pauses = [1, 2, 3, 4, 5, 50].map(|strikes| SCALE.pause(strikes));
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(pauses, [None, None, seconds(5), seconds(10), seconds(20), seconds(600)]);
    }

    #[test]
    fn the_first_instant_ahead_counts() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-24T16:00:00Z");
        let midnights = vec![now, at("2026-11-26T16:00:00Z"), at("2026-11-25T16:00:00Z")];
        let rest = Rest { at: midnights, after: Duration::from_secs(60) };
        assert_eq!(rest.until(now), at("2026-11-25T16:00:00Z"));
        assert_eq!(rest.until(at("2026-11-27T00:00:00Z")), at("2026-11-27T00:01:00Z"));
    }
}
