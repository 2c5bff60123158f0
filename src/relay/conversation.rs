//! Which conversation a request belongs to, for pools that are sticky.
//!
//! Its caller's word comes first: `prompt_cache_key`, then `user`, then a session header;
//! else the prompt's beginning, which is the same in each of its turns. Nothing but a keyed
//! hash of it leaves this file: who reads the store can't try words on it.

use std::sync::OnceLock;

use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use crate::accounts::Conversation;
use crate::front::{Beginning, ChatRequest};
use crate::vault::{MacParts, Vault};

/// So much of the system's words, and of the first user message, tells conversations apart.
const ENOUGH: usize = 8 << 10;

/// The name of a header that clients send with each request of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionHeader(HeaderName);

impl SessionHeader {
    /// Those that clients send: many, OpenCode, Codex, and clients of LiteLLM.
    pub(super) fn usual() -> Vec<Self> {
        ["x-session-id", "x-session-affinity", "session_id", "x-litellm-session-id"]
            .map(|name| Self(HeaderName::from_static(name)))
            .into()
    }
}

impl TryFrom<String> for SessionHeader {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let name = HeaderName::try_from(name).map_err(|_| "expected a header's name")?;
        Ok(Self(name))
    }
}

impl From<SessionHeader> for String {
    fn from(header: SessionHeader) -> Self {
        header.0.as_str().to_owned()
    }
}

/// A request as it came, to be asked when a pool is sticky.
pub(super) struct Talk<'a> {
    pub(super) caller: &'a Caller,
    pub(super) ask: &'a ChatRequest,
    headers: &'a HeaderMap,
    vault: &'a Vault,
    session_headers: &'a [SessionHeader],
    known: OnceLock<Option<Conversation>>,
}

impl<'a> Talk<'a> {
    pub(super) fn new(
        caller: &'a Caller,
        ask: &'a ChatRequest,
        headers: &'a HeaderMap,
        vault: &'a Vault,
        session_headers: &'a [SessionHeader],
    ) -> Self {
        Self { caller, ask, headers, vault, session_headers, known: OnceLock::new() }
    }

    /// The conversation; `None` where nothing tells it from others.
    pub(super) fn conversation(&self) -> Option<Conversation> {
        *self.known.get_or_init(|| {
            let parts = self.told().or_else(|| self.begun())?;
            // One user's names are not another's.
            let parts = parts.number(self.caller.user().0);
            Some(Conversation(self.vault.conversation(&parts)))
        })
    }

    /// By its caller's word.
    fn told(&self) -> Option<MacParts> {
        let field = |name| {
            let json = self.ask.field(name)?;
            let text: String = serde_json::from_slice(json).ok()?;
            (!text.is_empty()).then(|| MacParts::new(name).text(&text))
        };
        let header = |SessionHeader(name): &SessionHeader| {
            let text = self.headers.get(name)?.to_str().ok()?.trim();
            (!text.is_empty()).then(|| MacParts::new("session").text(text))
        };
        field("prompt_cache_key")
            .or_else(|| field("user"))
            .or_else(|| self.session_headers.iter().find_map(header))
    }

    /// By the prompt's beginning.
    fn begun(&self) -> Option<MacParts> {
        let Beginning { system, user } = Beginning::of(self.ask.field("messages")?);
        let user = user?;
        let mut room = ENOUGH;
        let mut parts = MacParts::new("prompt");
        for words in system {
            let words = up_to(words, room);
            room -= words.len();
            parts = parts.text(words);
        }
        Some(parts.text(up_to(user, ENOUGH)))
    }
}

fn up_to(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
