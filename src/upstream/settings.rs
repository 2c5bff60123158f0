//! `[upstream]`

use std::path::PathBuf;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How platforms are reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Time to connect, TLS included.
    #[schemars(with = "String")]
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub connect_timeout: SignedDuration,
    /// Time to the first byte of a streamed answer.
    #[schemars(with = "String")]
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub first_byte_timeout: SignedDuration,
    /// Time to the first byte of a whole answer: reasoning is slow.
    #[schemars(with = "String")]
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub whole_answer_timeout: SignedDuration,
    /// The longest silence inside an answer.
    #[schemars(with = "String")]
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub gap_timeout: SignedDuration,
    /// How long an unused connection is kept.
    #[schemars(with = "String")]
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub idle_timeout: SignedDuration,
    /// The longest whole answer, in bytes.
    pub max_answer_bytes: usize,
    /// Host names that may resolve to a loopback or private address.
    pub allow_private: Vec<String>,
    /// A PEM file of authorities to trust beside the system's.
    pub ca_file: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: SignedDuration::from_secs(5),
            first_byte_timeout: SignedDuration::from_secs(120),
            whole_answer_timeout: SignedDuration::from_secs(600),
            gap_timeout: SignedDuration::from_secs(120),
            idle_timeout: SignedDuration::from_secs(75),
            max_answer_bytes: 32 << 20,
            allow_private: Vec::new(),
            ca_file: None,
        }
    }
}
