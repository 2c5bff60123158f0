//! How a model is told to think or not to, in Anthropic's words.

use std::collections::BTreeMap;

use serde::Deserialize;

/// How one model is told to think, and what doesn't go together with it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thinking {
    /// How thinking is asked for.
    pub asked: ThinkingAsked,
    /// How it is asked not to think.
    pub off: ThinkingOff,
    /// Efforts that have another name there.
    pub names: BTreeMap<String, String>,
    /// Whether a tool may be forced.
    pub forced_tools: ForcedTools,
}

/// How thinking is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkingAsked {
    /// As much as an effort says.
    #[default]
    Adaptive,
    /// Up to a number of tokens.
    Budget,
}

/// How a model is asked not to think.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkingOff {
    /// By silence.
    #[default]
    Omitted,
    /// In so many words.
    Disabled,
    /// Only before its answer: it still thinks between calls.
    BetweenTools,
    /// It can't be: with the least effort.
    LeastEffort,
}

/// Whether a model takes `tool_choice: any` or a named tool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForcedTools {
    /// Always.
    #[default]
    Taken,
    /// Unless it is asked to think.
    UnlessThinking,
    /// Never.
    Refused,
}
