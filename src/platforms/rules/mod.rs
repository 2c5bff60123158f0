//! The catalogue's vocabulary: what a platform's quirks are said in.
//!
//! Each rule is data with one meaning, read from TOML and applied by a small
//! function of the dialect. A platform needs no code of its own.

mod answer;
mod error;
mod limit;
mod request;

pub use answer::{AnswerRules, FlagRule, Form};
pub use error::{ErrorRule, Until};
pub use limit::LimitRule;
pub use request::{
    Calls, Effort, EffortSent, FieldRule, ForcedChoice, ImageRules, JsonObject, JsonSchema, Legacy,
    MessageRules, NamedChoice, NoChoice, NumberBound, RequestRules, SearchRules, StreamsOnly,
    Thinks, ToolRules, Traits, UsageAsked, WhenZero,
};

use serde::{Deserialize, Deserializer};

/// One value or a list of them, as people write TOML.
pub(crate) fn one_or_many<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany<T> {
        One(T),
        Many(Vec<T>),
    }
    Ok(match OneOrMany::deserialize(from)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

/// Whether a name fits a pattern: the same text, or one with a `*` for anything.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => name.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(fits("glm-4", "glm-4") && !fits("glm-4", "glm-4v"));
        assert!(fits("glm-4*", "glm-4") && fits("glm-4*", "glm-4.7"));
        assert!(fits("*-instruct", "qwen3-8b-instruct") && !fits("*-instruct", "instruct"));
        assert!(!fits("ab*ba", "aba"));
    }
}
