//! A platform's error table.

use serde::Deserialize;

use super::one_or_many;
use crate::platforms::ErrorClass;

/// One row: which failures it takes, and what they mean. The first row that fits counts.
///
/// What a row does not name, it does not ask for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// HTTP statuses.
    #[serde(default, deserialize_with = "one_or_many")]
    pub status: Vec<u16>,
    /// The platform's codes; a `*` stands for anything.
    #[serde(default, deserialize_with = "one_or_many")]
    pub code: Vec<String>,
    /// The envelope's `type`s, as the codes.
    #[serde(default, rename = "type", deserialize_with = "one_or_many")]
    pub kind: Vec<String>,
    /// Words of the message, any case; one of them is enough.
    #[serde(default, deserialize_with = "one_or_many")]
    pub says: Vec<String>,
    /// What it means.
    pub class: ErrorClass,
    /// A hint when to come back, in seconds.
    #[serde(default)]
    pub wait: Option<f64>,
    /// When a used-up quota comes back.
    #[serde(default)]
    pub until: Option<Until>,
    /// The failure concerns this model of the account alone.
    #[serde(default)]
    pub this_model: bool,
    /// The platform finds our clock wrong.
    #[serde(default)]
    pub clock: bool,
    /// The request field it is about.
    #[serde(default)]
    pub param: Option<String>,
    /// The code that the caller sees.
    #[serde(default)]
    pub front_code: Option<String>,
    /// Words for the caller in place of the platform's.
    #[serde(default)]
    pub message: Option<String>,
}

/// When a used-up quota comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// At the platform's next midnight.
    Midnight,
    /// At the platform's next Monday.
    Monday,
    /// Within five hours.
    FiveHours,
    /// At the time that stands in the message, `YYYY-MM-DD HH:MM:SS` in the platform's zone.
    Said,
    /// Not by waiting: a person must act.
    Person,
}
