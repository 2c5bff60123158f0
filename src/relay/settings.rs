//! `[relay]`

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conversation::SessionHeader;
use crate::platforms::Hangup;

/// How a request finds an account and how its answer is relayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How long a request waits for tokens that are leased to other requests.
    #[schemars(with = "String")]
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub lease_wait: SignedDuration,
    /// After this long without output a stream carries an SSE comment.
    #[schemars(with = "String")]
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub keep_alive: SignedDuration,
    /// The most accounts that one request is tried on.
    pub max_attempts: usize,
    /// How long a token's row may be used without asking the store again.
    #[schemars(with = "String")]
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub token_cache: SignedDuration,
    /// Headers that name a conversation, for pools that are sticky; the first that a request
    /// has counts. The body's `prompt_cache_key` and `user` come before, a hash of the
    /// prompt's beginning behind.
    #[schemars(with = "Vec<String>")]
    pub session_headers: Vec<SessionHeader>,
    /// What happens upstream when a stream's caller hangs up: `cancel` stops it, `drain` reads
    /// on for the platform's exact figure. A platform's own `on_hangup` comes first.
    pub on_hangup: Hangup,
    /// How long a stream is drained.
    #[schemars(with = "String")]
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub drain_time: SignedDuration,
    /// How many more tokens, by our estimate, a stream is drained for.
    pub drain_tokens: usize,
    /// How many streams a serving thread drains at once; those beyond are cancelled.
    pub drain_streams: usize,
    /// Of a request and of its answer, so many bytes at most are kept, where a token keeps
    /// them (`token create --keep-bodies`).
    pub kept_body_bytes: usize,
    /// Settlements and records that may wait for the store before requests wait too.
    pub queue: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease_wait: SignedDuration::from_secs(2),
            keep_alive: SignedDuration::from_secs(15),
            max_attempts: 8,
            token_cache: SignedDuration::from_secs(3),
            session_headers: SessionHeader::usual(),
            on_hangup: Hangup::Cancel,
            drain_time: SignedDuration::from_secs(60),
            drain_tokens: 8192,
            drain_streams: 256,
            kept_body_bytes: 64 << 10,
            queue: 16_384,
        }
    }
}
