//! All that can be set.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{identity, oidc, relay, server, store, telemetry, upstream};

/// Tributary's settings: `gateway.toml`.
///
/// Environment variables override each key: `TRIBUTARY_STORE__URL` is `[store] url`.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The callers' listener and its limits.
    pub server: server::Settings,
    /// The operator's listener: health, metrics, and commands that run beside the gateway.
    pub operator: server::OperatorSettings,
    /// The state.
    pub store: store::Settings,
    /// How platforms are reached.
    pub upstream: upstream::Settings,
    /// How a request finds an account and how its answer is relayed.
    pub relay: relay::Settings,
    /// Points: users pay the operator with them, once none of their accounts has quota left.
    pub points: relay::PointsSettings,
    /// What a password's hash costs (Argon2id).
    pub passwords: identity::Settings,
    /// An OpenID provider that people may sign in at.
    pub oidc: oidc::Settings,
    /// Where notices about accounts are sent.
    pub notices: relay::NoticeSettings,
    /// What is logged, on standard error.
    pub log: telemetry::log::Settings,
    /// Changes to the built-in platforms, and platforms of your own, by name.
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
    pub platforms: toml::Table,
    /// Model names of your own, each a chain of `PLATFORM/MODEL` to try in order.
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
    pub aliases: toml::Table,
}

impl Settings {
    /// The JSON schema, from the types.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

// By hand, because the store's URL may hold a password.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}
