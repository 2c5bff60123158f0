//! Single fields.

use std::borrow::Cow;

use crate::front::object::Object;

/// Fields that Responses knows by the same name (the SDK's `response_create_params`).
const ALIKE: [&str; 13] = [
    "metadata",
    "moderation",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "stream_options",
    "temperature",
    "top_logprobs",
    "top_p",
    "user",
];

/// Less than this is refused for an answer's limit, and a few tokens more do no harm.
const LEAST_LIMIT: u64 = 16;

/// Sets the fields that have the same name there.
pub(super) fn alike(fields: &Object<'_>, out: &mut Object<'_>) {
    for name in ALIKE {
        let Some(json) = fields.given(name) else { continue };
        let json = match name {
            // Usage comes unasked, and to ask for it is refused.
            "stream_options" => match padding(json) {
                Some(json) => Cow::Owned(json),
                None => continue,
            },
            _ => Cow::Borrowed(json),
        };
        out.set(name, json.into_owned());
    }
}

/// What is left of `stream_options`.
fn padding(json: &str) -> Option<String> {
    let options = Object::parse(json).ok()?;
    let padded = options.given("include_obfuscation")?;
    Some(format!(r#"{{"include_obfuscation":{padded}}}"#))
}

/// Sets the answer's limit, and tells by which name the caller gave it. What is no count is
/// the platform's to refuse.
pub(super) fn limit(fields: &Object<'_>, out: &mut Object<'_>) -> &'static str {
    for name in ["max_completion_tokens", "max_tokens"] {
        let Some(json) = fields.given(name) else { continue };
        let limit = match json.parse::<u64>() {
            Ok(limit @ 1..LEAST_LIMIT) => limit.max(LEAST_LIMIT).to_string(),
            _ => json.to_owned(),
        };
        out.set("max_output_tokens", limit);
        return name;
    }
    "max_completion_tokens"
}

/// Sets how much the model shall think. Its thinking is then told in short.
pub(super) fn reasoning(fields: &Object<'_>, out: &mut Object<'_>) {
    if let Some(effort) = fields.given("reasoning_effort") {
        out.set("reasoning", format!(r#"{{"effort":{effort},"summary":"auto"}}"#));
    }
}
