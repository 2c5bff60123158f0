//! What an answer's headers tell of a limit.

use http::HeaderName;
use serde::{Deserialize, Deserializer};

use super::one_or_many;
use crate::accounts::Period;

/// One row: a limit, and the headers that tell of it.
///
/// With a `period` it is a window of quota: its limit and end are learned, and the account
/// rests once nothing is left. Without one it is a rate (requests or tokens a minute): with
/// nothing left the account rests until it is refilled, and no window hears of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitRule {
    /// The window's length: `day`, `5h`, `7d`.
    #[serde(default, deserialize_with = "period")]
    pub period: Option<Period>,
    /// Holds the window's limit, in tokens.
    #[serde(default, deserialize_with = "header")]
    pub limit: Option<HeaderName>,
    /// Holds what is left.
    #[serde(default, deserialize_with = "header")]
    pub remaining: Option<HeaderName>,
    /// Holds when it is full again: an instant (RFC 3339 or Unix seconds), or how long that
    /// takes (seconds, or as `6m0s`).
    #[serde(default, deserialize_with = "header")]
    pub reset: Option<HeaderName>,
    /// How long a refill takes, in seconds, where no header tells.
    #[serde(default)]
    pub refill: Option<f64>,
    /// Holds a word.
    #[serde(default, deserialize_with = "header")]
    pub status: Option<HeaderName>,
    /// The words of `status` that say that nothing is left. They speak of quota, also
    /// where no period is known.
    #[serde(default, deserialize_with = "one_or_many")]
    pub spent: Vec<String>,
}

fn header<'de, D: Deserializer<'de>>(from: D) -> Result<Option<HeaderName>, D::Error> {
    let name = String::deserialize(from)?;
    let wrong = |_| serde::de::Error::custom(format!("`{name}` is no header's name"));
    name.parse().map(Some).map_err(wrong)
}

fn period<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Period>, D::Error> {
    let text = String::deserialize(from)?;
    let wrong = || serde::de::Error::custom("a period is `day`, or a length as `5h` or `7d`");
    Period::named(&text).map(Some).ok_or_else(wrong)
}
