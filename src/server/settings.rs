//! `[server]` and `[operator]`

use std::net::SocketAddr;

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The callers' listener and its limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where callers connect.
    pub listen: SocketAddr,
    /// Where browsers reach it, as `https://gateway.example.com`: calls for other hosts are
    /// refused, and so is what other sites' pages send with a session.
    #[schemars(with = "Option<String>")]
    pub public_url: Option<PublicUrl>,
    /// Threads that serve, each with a listener of its own; 0: one a core.
    pub threads: usize,
    /// The longest request body, in bytes.
    pub max_body_bytes: usize,
    /// Time for a request's head to arrive, and for a connection to wait for one.
    #[schemars(with = "String")]
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub head_timeout: SignedDuration,
    /// The longest silence inside a request's body.
    #[schemars(with = "String")]
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub body_timeout: SignedDuration,
    /// The longest that an answer which is ready may wait for the caller to take more of it.
    #[schemars(with = "String")]
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub send_timeout: SignedDuration,
    /// How long `/readyz` says 503 before the listener shuts, so that a balancer sees it.
    #[schemars(with = "String")]
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub drain_notice: SignedDuration,
    /// How long requests may go on after that.
    #[schemars(with = "String")]
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub drain_timeout: SignedDuration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 8080).into(),
            public_url: None,
            threads: 0,
            max_body_bytes: 32 << 20,
            head_timeout: SignedDuration::from_secs(75),
            body_timeout: SignedDuration::from_secs(15),
            send_timeout: SignedDuration::from_mins(1),
            drain_notice: SignedDuration::from_secs(1),
            drain_timeout: SignedDuration::from_secs(30),
        }
    }
}

/// Where browsers reach a gateway: `http` or `https`, a host, and no path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "url::Url")]
pub struct PublicUrl(url::Url);

impl TryFrom<url::Url> for PublicUrl {
    type Error = &'static str;

    fn try_from(url: url::Url) -> Result<Self, Self::Error> {
        let is_origin = matches!(url.scheme(), "http" | "https")
            && url.host().is_some()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        is_origin
            .then_some(Self(url))
            .ok_or("a URL as `https://gateway.example.com`, without a path")
    }
}

impl From<PublicUrl> for url::Url {
    fn from(url: PublicUrl) -> Self {
        url.0
    }
}

/// The operator's listener: health, metrics, and commands that run beside the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OperatorSettings {
    /// Where it listens; keep it off the internet.
    pub listen: SocketAddr,
}

impl Default for OperatorSettings {
    fn default() -> Self {
        Self { listen: ([127, 0, 0, 1], 8081).into() }
    }
}
