//! `[passwords]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a password's hash costs (Argon2id).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Memory that one hash takes, in MiB; two are made at a time at most.
    pub memory_mib: usize,
    /// How often it goes over that memory. A password that was hashed otherwise is hashed
    /// anew when its user next signs in.
    pub passes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { memory_mib: 64, passes: 3 }
    }
}
