//! How a pool picks the account of a lease, among the ready ones that the request fits.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A pool's policy. It moves the pick alone: what may be granted at all is the same under
/// each. Where none of the accounts that it would pick fits, the one with the most left is
/// looked at as under [`Policy::MostRemaining`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The one with the most left; then fewest leases in flight, then longest unused.
    #[default]
    MostRemaining,
    /// The one with the smallest [`Priority`] that has something left; of equal ones that
    /// with the most left.
    Priority,
    /// The longest unused that has something left.
    RoundRobin,
    /// The one that the conversation was on before, for the platform's prompt cache; a new
    /// conversation goes to the one with the most left.
    Sticky,
}

impl Policy {
    /// Every policy.
    pub const ALL: [Self; 4] =
        [Self::MostRemaining, Self::Priority, Self::RoundRobin, Self::Sticky];

    /// Its number, as stores write it: its place in [`Policy::ALL`].
    pub fn number(self) -> u8 {
        match self {
            Self::MostRemaining => 0,
            Self::Priority => 1,
            Self::RoundRobin => 2,
            Self::Sticky => 3,
        }
    }

    /// The policy of a number.
    pub fn numbered(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.number() == number)
    }

    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::MostRemaining => "most_remaining",
            Self::Priority => "priority",
            Self::RoundRobin => "round_robin",
            Self::Sticky => "sticky",
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|policy| policy.name() == word).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!("no policy is called so; there are {known}")
        })
    }
}

/// Under [`Policy::Priority`] the smallest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Priority(u8);

impl Priority {
    /// The largest: a pick looks at each number once at most.
    pub const LAST: Self = Self(100);
}

impl Default for Priority {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<u8> for Priority {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        let priority = Self(number);
        let error = || format!("a priority is a number from 0 to {}", Self::LAST);
        (priority <= Self::LAST).then_some(priority).ok_or_else(error)
    }
}

impl From<Priority> for u8 {
    fn from(priority: Priority) -> Self {
        priority.0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a conversation is known by: a keyed hash, never its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conversation(pub u64);

impl Conversation {
    /// So long after its last request a conversation is forgotten: no platform's prompt
    /// cache is kept longer without being asked for.
    pub const FRESH: Duration = Duration::from_secs(3600);
    /// So many are remembered of one pool on one platform; the longest silent goes first.
    pub const KEPT: usize = 20_000;
}

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// How much an account has left, by powers of two: under [`Policy::RoundRobin`] all of a
/// class above a request's fit, so what was nearly used up is not walked past each time.
pub fn size_class(tokens: i64) -> u8 {
    /// Below, and above, classes are not told apart: a pick looks at each one once.
    const SMALLEST: u32 = 8;
    const LARGEST: u32 = 20;
    let power = u64::try_from(tokens).ok().and_then(u64::checked_ilog2).unwrap_or(0);
    power.clamp(SMALLEST, LARGEST) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_by_its_word() {
        for policy in Policy::ALL {
            assert_eq!(policy.name().parse(), Ok(policy));
            assert_eq!(Policy::numbered(policy.number()), Some(policy));
            assert_eq!(serde_json::to_value(policy).unwrap(), policy.name());
        }
        assert!("fair".parse::<Policy>().unwrap_err().contains("round_robin"));
    }

    #[test]
    fn a_priority_beyond_the_last_is_refused() {
        assert_eq!(serde_json::from_str::<Priority>("100").unwrap(), Priority::LAST);
        assert!(serde_json::from_str::<Priority>("101").is_err());
    }

    #[test]
    fn all_of_a_class_above_a_requests_fit_it() {
        for estimate in [0, 1, 255, 256, 257, 511, 512, 100_000, 1 << 20, (1 << 20) + 1] {
            for rest in [1, 255, 256, 511, 512, 1023, 1024, 131_072, 1 << 20, i64::MAX] {
                if size_class(rest) > size_class(estimate) {
                    assert!(rest >= estimate, "{rest} of class {}", size_class(rest));
                }
            }
        }
    }
}
