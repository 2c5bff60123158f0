//! How a platform's answers differ from the front's form.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What is put right in answers and streams.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnswerRules {
    /// How much of what the platform writes goes on as it came.
    pub form: Form,
    /// The platform's finish reasons, ours beside them; `*` stands for any other.
    pub finish: BTreeMap<String, String>,
    /// Finish reasons that say that the answer broke.
    pub broken: Vec<String>,
    /// A `[DONE]` without a finish reason means a complete answer.
    pub finish_at_done: bool,
    /// A number beside a choice that says whether its text may be shown.
    pub flag: Option<FlagRule>,
    /// Chunks that carry no answer, by a key of the choice or its delta, and that key's values.
    pub skip: BTreeMap<String, Vec<String>>,
    /// A stream's count of no answer tokens at all is not believed when text came.
    pub zero_output_is_unknown: bool,
}

/// How much of what a platform writes goes on as it came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// All of it: the platform keeps the front's rules itself.
    Passed,
    /// All but what breaks a rule: tool deltas, a repeated role, missing keys.
    #[default]
    Tidied,
    /// Nothing: every chunk is written anew from its text, thinking, calls and finish.
    Rebuilt,
}

/// A number beside a choice that says whether its text may be shown.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagRule {
    /// The choice's key.
    pub field: String,
    /// Values that end the choice in `content_filter`.
    pub filtered: Vec<i64>,
    /// Of those, the ones whose text must not be shown.
    pub hidden: Vec<i64>,
}
