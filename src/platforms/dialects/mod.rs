//! The wire formats that we speak upstream, one folder each.

pub(super) mod openai_chat;

use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};

/// A wire format's name, as it stands in `gateway.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialectName {
    /// OpenAI chat completions, and what is nearly that.
    OpenaiChat,
    /// OpenAI Responses.
    OpenaiResponses,
    /// Anthropic Messages.
    AnthropicMessages,
    /// Alibaba's native DashScope.
    Dashscope,
    /// iFlytek Spark over WebSocket.
    SparkWs,
}

impl DialectName {
    /// The dialect of a name in `gateway.toml` or an account.
    pub fn named(name: &str) -> Option<DialectName> {
        let name: StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
        DialectName::deserialize(name).ok()
    }

    /// Whether this build speaks it.
    pub fn is_spoken(self) -> bool {
        matches!(self, DialectName::OpenaiChat)
    }

    /// The path under a face's base, unless a model has its own.
    pub fn path(self) -> &'static str {
        match self {
            DialectName::OpenaiChat => "chat/completions",
            DialectName::OpenaiResponses => "responses",
            DialectName::AnthropicMessages => "messages",
            DialectName::Dashscope => "services/aigc/text-generation/generation",
            DialectName::SparkWs => "",
        }
    }

    /// Its name in `gateway.toml`.
    pub fn as_str(self) -> &'static str {
        match self {
            DialectName::OpenaiChat => "openai_chat",
            DialectName::OpenaiResponses => "openai_responses",
            DialectName::AnthropicMessages => "anthropic_messages",
            DialectName::Dashscope => "dashscope",
            DialectName::SparkWs => "spark_ws",
        }
    }
}
