//! Token counts, as settled and as reported.
//!
//! [`Usage`] is what the books take. [`UsageReport`] is the wire's `usage`
//! object with only what was reported, so that nothing is claimed that the
//! platform did not say.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// The five kinds of token of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Prompt tokens, cached ones included.
    pub input: u64,
    /// Of the input: read from the platform's prompt cache.
    pub cache_read: u64,
    /// Of the input: written to the platform's prompt cache.
    pub cache_write: u64,
    /// Answer tokens, reasoning included.
    pub output: u64,
    /// Of the output: thinking.
    pub reasoning: u64,
}

impl Usage {
    /// What a quota is charged: input and output.
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// The `usage` object of an OpenAI answer; what was not reported is left out.
///
/// Read leniently (a count that is no count is as good as absent), since a
/// strange figure must not cost the caller the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UsageReport {
    /// Prompt tokens, cached ones included.
    #[serde(deserialize_with = "count")]
    pub prompt_tokens: Option<u64>,
    /// Answer tokens, reasoning included.
    #[serde(deserialize_with = "count")]
    pub completion_tokens: Option<u64>,
    /// Their sum.
    #[serde(deserialize_with = "count")]
    pub total_tokens: Option<u64>,
    /// What the prompt tokens were.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub prompt_tokens_details: Option<PromptDetails>,
    /// What the answer tokens were.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's name for cached prompt tokens, beside OpenAI's.
    #[serde(skip_serializing, deserialize_with = "count")]
    prompt_cache_hit_tokens: Option<u64>,
}

/// Details of the prompt tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PromptDetails {
    /// Read from the platform's cache.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "count")]
    pub cached_tokens: Option<u64>,
    /// Written to the platform's cache.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "count")]
    pub cache_write_tokens: Option<u64>,
    /// Alibaba's name for it.
    #[serde(skip_serializing, deserialize_with = "count")]
    cache_creation_input_tokens: Option<u64>,
    /// Of text.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "count")]
    pub text_tokens: Option<u64>,
    /// Of images.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "count")]
    pub image_tokens: Option<u64>,
}

/// Details of the answer tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CompletionDetails {
    /// Spent on thinking.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "count")]
    pub reasoning_tokens: Option<u64>,
    /// Of text.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "count")]
    pub text_tokens: Option<u64>,
}

impl UsageReport {
    /// Reads a `usage` object; `None` when it holds neither count.
    pub fn read(json: &str) -> Option<UsageReport> {
        let report: UsageReport = serde_json::from_str(json).ok()?;
        (report.prompt_tokens.is_some() || report.completion_tokens.is_some()).then_some(report)
    }

    /// The report of what was counted; with thinking told apart only where the platform did.
    pub fn counted(usage: Usage, tells_reasoning: bool) -> UsageReport {
        UsageReport {
            prompt_tokens: Some(usage.input),
            completion_tokens: Some(usage.output),
            total_tokens: Some(usage.total()),
            prompt_tokens_details: Some(PromptDetails {
                cached_tokens: Some(usage.cache_read),
                cache_write_tokens: Some(usage.cache_write),
                ..PromptDetails::default()
            }),
            completion_tokens_details: tells_reasoning.then_some(CompletionDetails {
                reasoning_tokens: Some(usage.reasoning),
                ..CompletionDetails::default()
            }),
            prompt_cache_hit_tokens: None,
        }
    }

    /// The books' view; what was not reported counts nothing.
    pub fn usage(&self) -> Usage {
        let prompt = self.prompt_tokens_details.unwrap_or_default();
        let completion = self.completion_tokens_details.unwrap_or_default();
        let cached = prompt.cached_tokens.or(self.prompt_cache_hit_tokens);
        let written = prompt.cache_write_tokens.or(prompt.cache_creation_input_tokens);
        Usage {
            input: self.prompt_tokens.unwrap_or(0),
            cache_read: cached.unwrap_or(0),
            cache_write: written.unwrap_or(0),
            output: self.completion_tokens.unwrap_or(0),
            reasoning: completion.reasoning_tokens.unwrap_or(0),
        }
    }

    /// The same report in the front's own form: every count there, the total
    /// their sum, empty details left out.
    pub fn tidy(&self) -> UsageReport {
        let usage = self.usage();
        UsageReport {
            prompt_tokens: Some(usage.input),
            completion_tokens: Some(usage.output),
            total_tokens: Some(usage.total()),
            prompt_tokens_details: self
                .prompt_tokens_details
                .map(|details| PromptDetails {
                    cache_write_tokens: details
                        .cache_write_tokens
                        .or(details.cache_creation_input_tokens),
                    cache_creation_input_tokens: None,
                    ..details
                })
                .filter(|details| *details != PromptDetails::default()),
            completion_tokens_details: self
                .completion_tokens_details
                .filter(|details| *details != CompletionDetails::default()),
            prompt_cache_hit_tokens: None,
        }
    }
}

/// A count, or nothing where no count stands.
fn count<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    Ok(<&RawValue>::deserialize(from)?.get().parse().ok())
}

/// A value of the wanted type, or nothing where another stands.
fn lenient<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let raw = <&RawValue>::deserialize(from)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_counts_are_absent_counts() {
        let report = UsageReport::read(
            r#"{"prompt_tokens":7,"completion_tokens":"x","prompt_tokens_details":[],"other":{}}"#,
        )
        .unwrap();
        assert_eq!(report.usage(), Usage { input: 7, ..Usage::default() });
        assert_eq!(UsageReport::read(r#"{"total_tokens":3}"#), None);
        assert_eq!(UsageReport::read("[1"), None);
    }

    #[test]
    fn what_is_a_count_is_told_as_serde_json_tells_it() {
        let most = "18446744073709551615";
        for json in [
            "0",
            "7",
            most,
            "18446744073709551616",
            "-0",
            "-1",
            "7.0",
            "1e3",
            "1e999",
            "\"7\"",
            "null",
            "true",
            "[7]",
            "{\"a\":7}",
        ] {
            let report = format!(r#"{{"prompt_tokens": {json} ,"completion_tokens":1}}"#);
            let count = UsageReport::read(&report).unwrap().prompt_tokens;
            assert_eq!(count, serde_json::from_str(json).ok(), "{json}");
        }
    }

    #[test]
    fn a_tidy_report_adds_up_and_claims_nothing_more() {
        let report = UsageReport::read(
            r#"{"prompt_tokens":5,"completion_tokens":2,"total_tokens":99,
                "prompt_tokens_details":{"search_tokens":0,"cached_tokens":4}}"#,
        )
        .unwrap();
        assert_eq!(
            serde_json::to_string(&report.tidy()).unwrap(),
            r#"{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":4}}"#
        );
    }

    #[test]
    fn alibabas_name_for_written_tokens_counts_and_is_translated() {
        let report = UsageReport::read(
            r#"{"prompt_tokens":5,"completion_tokens":2,
                "prompt_tokens_details":{"cache_creation_input_tokens":3}}"#,
        );
        let report = report.unwrap();
        assert_eq!(report.usage().cache_write, 3);
        assert!(
            serde_json::to_string(&report.tidy()).unwrap().contains("\"cache_write_tokens\":3")
        );
    }

    #[test]
    fn deepseeks_name_for_cached_tokens_counts() {
        let report = UsageReport::read(
            r#"{"prompt_tokens":5,"completion_tokens":2,"prompt_cache_hit_tokens":3}"#,
        );
        assert_eq!(report.unwrap().usage().cache_read, 3);
    }
}
