//! The wire formats that we speak upstream, one folder each.
//!
//! A dialect begins an attempt: it writes the request and gives back a [`Translation`] of
//! what comes of it. A new one is a folder, and its row in the table below.

mod anthropic_messages;
mod dashscope;
mod openai_chat;
mod openai_responses;
pub(super) mod pivot;
mod spark_ws;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};

use super::{Answer, Face, Fed, Model, Platform, PlatformError, Reach, UpstreamRequest};
use crate::front::{BadRequest, ByteCensus, ChatRequest, Produced, Usage};

/// The table of dialects: name in Rust, name in `gateway.toml`, path under a face's base
/// unless a model has its own, and what begins an attempt.
macro_rules! dialects {
    ($($(#[$doc:meta])* $name:ident = $word:literal at $path:literal by $begin:expr;)*) => {
        /// A wire format's name, as it stands in `gateway.toml`.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        pub enum DialectName {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
        }

        impl DialectName {
            /// The path under a face's base, unless a model has its own.
            pub fn path(self) -> &'static str {
                match self { $(DialectName::$name => $path,)* }
            }

            /// Its name in `gateway.toml`.
            pub fn as_str(self) -> &'static str {
                match self { $(DialectName::$name => $word,)* }
            }

            /// What begins an attempt in it.
            pub(super) fn begin(self) -> Begin {
                match self { $(DialectName::$name => $begin,)* }
            }
        }
    };
}

dialects! {
    /// OpenAI chat completions, and what is nearly that.
    OpenaiChat = "openai_chat" at "chat/completions" by openai_chat::begin;
    /// OpenAI Responses.
    OpenaiResponses = "openai_responses" at "responses" by openai_responses::begin;
    /// Anthropic Messages.
    AnthropicMessages = "anthropic_messages" at "messages" by anthropic_messages::begin;
    /// Alibaba's native DashScope.
    Dashscope = "dashscope" at "services/aigc/text-generation/generation"
        by dashscope::begin;
    /// iFlytek Spark over WebSocket.
    SparkWs = "spark_ws" at "" by spark_ws::begin;
}

impl DialectName {
    /// The dialect of a name in `gateway.toml` or an account.
    pub fn named(name: &str) -> Option<DialectName> {
        let name: StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
        DialectName::deserialize(name).ok()
    }
}

/// What one attempt is about.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) platform: &'a Arc<Platform>,
    pub(super) face: &'a Arc<Face>,
    pub(super) model: &'a Arc<Model>,
    pub(super) reach: &'a Reach,
    pub(super) ask: &'a ChatRequest,
    /// Our clock in Unix seconds, for platforms that send none.
    pub(super) created: i64,
}

/// Writes the request and begins its translation.
pub(super) type Begin = fn(&Attempt<'_>) -> Begun;

/// An attempt that has begun, or what the caller must change.
pub(super) type Begun = Result<(Box<dyn Translation>, UpstreamRequest), BadRequest>;

/// One attempt in one dialect; [`super::Exchange`] says what each of these is for.
pub(super) trait Translation: Send + Sync {
    fn classify(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> PlatformError;

    fn whole(&mut self, headers: &HeaderMap, body: Bytes) -> Result<Answer, PlatformError>;

    fn feed(&mut self, bytes: Bytes) -> Fed;

    fn end(&mut self) -> Fed;

    fn usage(&self) -> Option<Usage>;

    fn began(&self) -> bool;

    fn produced(&self) -> ByteCensus;

    fn words(&mut self) -> &mut Produced;

    fn gathered(&mut self) -> Option<Answer>;
}
