//! `[points]`

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Points: users pay the operator with them, once none of their accounts has quota left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PointsSettings {
    /// Your own keys, each from a file or an environment variable: `{ platform = "qwen",
    /// file = "qwen.key" }` or `{ platform = "qwen", variable = "DASHSCOPE_API_KEY" }`. They
    /// buy models that have a `price`, in points for a million tokens, as
    /// `[platforms.qwen] models = [{ name = "qwen-plus", price = { in = "0.8", out = 2 } }]`.
    pub keys: Vec<KeySettings>,
}

/// Where one of the operator's own keys comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// The platform that it is for.
    pub platform: String,
    /// The dialect to speak there, if not the platform's usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    /// The file that holds it, readable by its owner alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The environment variable that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
}
