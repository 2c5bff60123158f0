//! Anthropic's errors: `{"type": "error", "error": {"type", "message"}, "request_id"}`.

use serde_json::{Value, json};

use super::{Asked, Refusal, letters};
use crate::simulator::complaint::{Class, Complaint, Rule};

pub(super) fn request_id(unique: u128) -> String {
    format!("req_011{}", letters(unique, 1, 21))
}

pub(super) fn error(kind: &str, message: &str, unique: u128) -> Value {
    json!({"type": "error", "error": {"type": kind, "message": message},
        "request_id": request_id(unique)})
}

pub(super) fn refuse(complaint: &Complaint, asked: &Asked) -> Refusal {
    let say =
        |status, kind: &str, words: &str| Refusal::new(status, error(kind, words, asked.unique));
    let invalid = |words: &str| say(400, "invalid_request_error", words);
    let unknown = |name: &str| say(404, "not_found_error", &format!("model: {name}"));
    let too_long =
        |prompt, limit| invalid(&format!("prompt is too long: {prompt} tokens > {limit} maximum"));
    match complaint {
        Complaint::NoKey => say(401, "authentication_error", "x-api-key header is required"),
        Complaint::BadKey(_) => say(401, "authentication_error", "invalid x-api-key"),
        Complaint::NotJson => invalid("The request body is not valid JSON."),
        Complaint::NoRoute => say(404, "not_found_error", "Not Found"),
        Complaint::UnknownModel(name) | Complaint::Offline(name) => unknown(name),
        Complaint::TooLong { prompt, limit } => too_long(*prompt, *limit),
        Complaint::Invalid { param, rule } => invalid(&format!("{param}: {}", phrase(rule))),
        Complaint::Class(class) => match class {
            Class::RateLimited => say(
                429,
                "rate_limit_error",
                "This request would exceed your organization's rate limit of 50,000 input tokens \
                 per minute.",
            )
            .with("retry-after", "17")
            .with("anthropic-ratelimit-input-tokens-limit", "50000")
            .with("anthropic-ratelimit-input-tokens-remaining", "0"),
            Class::QuotaExhausted => invalid(
                "Your credit balance is too low to access the Anthropic API. Please go to Plans & \
                 Billing to upgrade or purchase credits.",
            ),
            Class::AuthExpired => say(401, "authentication_error", "invalid x-api-key"),
            Class::Banned => invalid("This organization has been disabled."),
            Class::Overloaded => {
                say(529, "overloaded_error", "Overloaded").with("x-should-retry", "true")
            }
            Class::UpstreamFault => say(500, "api_error", "Internal server error"),
            Class::ContentFiltered => invalid("Output blocked by content filtering policy"),
            Class::ContextLength => too_long(1_048_821, 1_000_000),
            Class::NotFound => unknown(&asked.model),
            Class::Html => Refusal::html(),
            Class::Empty => Refusal::empty(),
        },
    }
}

fn phrase(rule: &Rule) -> String {
    match rule {
        Rule::Missing => "Field required".to_owned(),
        Rule::Type(want) => format!("Input should be a valid {want}"),
        Rule::Range { range, got } if range.above_low(*got) => {
            format!("Input should be less than or equal to {}", range.high)
        }
        Rule::Range { range, .. } => {
            format!("Input should be greater than or equal to {}", range.low)
        }
        Rule::Unsupported(Some(what)) => format!("{what} is not supported on this model"),
        Rule::Unsupported(None) => "not supported on this model".to_owned(),
        Rule::Unknown => "Extra inputs are not permitted".to_owned(),
        Rule::Orphan => "unexpected `tool_use_id` found in `tool_result` blocks. Each \
                         `tool_result` block must have a corresponding `tool_use` block in the \
                         previous message."
            .to_owned(),
        Rule::Unanswered(ids) => format!(
            "`tool_use` ids were found without `tool_result` blocks immediately after: {}. Each \
             `tool_use` block must have a corresponding `tool_result` block in the next message.",
            ids.join(", ")
        ),
        Rule::NoSight => "image input is not supported on this model".to_owned(),
        Rule::Role(role) => {
            format!("Unexpected role \"{role}\". Allowed roles are \"user\" or \"assistant\"")
        }
        Rule::Words(words) => words.clone(),
    }
}
