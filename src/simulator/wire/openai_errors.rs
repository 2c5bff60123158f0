//! OpenAI's errors: `{"error": {"message", "type", "param", "code"}}`.

use serde_json::{Value, json};

use super::{Asked, Refusal};
use crate::simulator::complaint::{Class, Complaint, Rule};

pub(super) fn refuse(complaint: &Complaint, asked: &Asked) -> Refusal {
    let model = &asked.model;
    match complaint {
        Complaint::NoKey => {
            let words = "You didn't provide an API key. You need to provide your API key in an \
                         Authorization header using Bearer auth (i.e. Authorization: Bearer \
                         YOUR_KEY). You can obtain an API key from \
                         https://platform.openai.com/account/api-keys.";
            error(401, words, "invalid_request_error", None, None)
        }
        Complaint::BadKey(key) => bad_key(key),
        Complaint::NotJson => {
            let words = "We could not parse the JSON body of your request. (HINT: This likely \
                         means you aren't using your HTTP library correctly. The OpenAI API \
                         expects a JSON payload, but what was sent was not valid JSON.)";
            error(400, words, "invalid_request_error", None, None)
        }
        Complaint::NoRoute => error(404, "Invalid URL", "invalid_request_error", None, None),
        Complaint::UnknownModel(name) | Complaint::Offline(name) => unknown_model(name),
        Complaint::TooLong { prompt, limit } => too_long(*prompt, *limit),
        Complaint::Invalid { param, rule } => invalid(param, rule),
        Complaint::Class(class) => match class {
            Class::RateLimited => rate_limited(model),
            Class::QuotaExhausted => {
                let words = "You exceeded your current quota, please check your plan and billing \
                             details. For more information on this error, read the docs: \
                             https://platform.openai.com/docs/guides/error-codes/api-errors.";
                error(429, words, "insufficient_quota", None, Some("insufficient_quota"))
            }
            Class::AuthExpired => bad_key(&asked.key),
            Class::Banned => {
                let words = "The OpenAI account associated with this API key has been deactivated.";
                error(401, words, "invalid_request_error", None, Some("account_deactivated"))
            }
            Class::Overloaded => {
                let words = "The server is currently overloaded with other requests. Please try \
                             again later.";
                let kind = "service_unavailable_error";
                error(503, words, kind, None, Some("server_is_overloaded")).with("retry-after", "5")
            }
            Class::UpstreamFault => {
                let words =
                    "The server had an error while processing your request. Sorry about that!";
                error(500, words, "server_error", None, None)
            }
            Class::ContentFiltered => {
                let words = "Invalid prompt: your prompt was flagged as potentially violating our \
                             usage policy. Please try again with a different prompt: \
                             https://platform.openai.com/docs/guides/reasoning#advice-on-prompting";
                error(400, words, "invalid_request_error", None, Some("invalid_prompt"))
            }
            Class::ContextLength => too_long(400_731, 400_000),
            Class::NotFound => unknown_model(model),
            Class::Html => Refusal::html(),
            Class::Empty => Refusal::empty(),
        },
    }
}

pub(super) fn error(
    status: u16,
    message: &str,
    kind: &str,
    param: Option<&str>,
    code: Option<&str>,
) -> Refusal {
    let body = json!({"error": {"message": message, "type": kind, "param": param, "code": code}});
    Refusal::new(status, body)
}

fn bad_key(key: &str) -> Refusal {
    let words = format!(
        "Incorrect API key provided: {key}. You can find your API key at \
         https://platform.openai.com/account/api-keys."
    );
    error(401, &words, "invalid_request_error", None, Some("invalid_api_key"))
}

fn unknown_model(name: &str) -> Refusal {
    let words = format!("The model `{name}` does not exist or you do not have access to it.");
    error(404, &words, "invalid_request_error", None, Some("model_not_found"))
}

fn too_long(prompt: u64, limit: u64) -> Refusal {
    let words = format!(
        "This model's maximum context length is {limit} tokens. However, your messages resulted in \
         {prompt} tokens. Please reduce the length of the messages."
    );
    let code = Some("context_length_exceeded");
    error(400, &words, "invalid_request_error", Some("messages"), code)
}

fn rate_limited(model: &str) -> Refusal {
    let words = format!(
        "Rate limit reached for {model} in organization org-simulated on tokens per min (TPM): \
         Limit 200000, Used 198764, Requested 2210. Please try again in 292ms. Visit \
         https://platform.openai.com/account/rate-limits to learn more."
    );
    error(429, &words, "tokens", None, Some("rate_limit_exceeded"))
        .with("retry-after", "1")
        .with("retry-after-ms", "292")
        .with("x-ratelimit-limit-requests", "500")
        .with("x-ratelimit-limit-tokens", "200000")
        .with("x-ratelimit-remaining-requests", "499")
        .with("x-ratelimit-remaining-tokens", "1236")
        .with("x-ratelimit-reset-requests", "120ms")
        .with("x-ratelimit-reset-tokens", "59.629s")
}

fn invalid(param: &str, rule: &Rule) -> Refusal {
    let (words, code): (String, Option<&str>) = match rule {
        Rule::Missing => {
            (format!("Missing required parameter: '{param}'."), Some("missing_required_parameter"))
        }
        Rule::Type(want) => (
            format!("Invalid type for '{param}': expected {want}, but got another type instead."),
            Some("invalid_type"),
        ),
        Rule::Range { range, got } => {
            let kind = if range.whole { "integer" } else { "decimal" };
            let (side, bound, sign, code) = if range.above_low(*got) {
                let code =
                    if range.whole { "integer_above_max_value" } else { "decimal_above_max_value" };
                ("above maximum", range.high, "<=", code)
            } else {
                let code =
                    if range.whole { "integer_below_min_value" } else { "decimal_below_min_value" };
                ("below minimum", range.low, ">=", code)
            };
            let words = format!(
                "Invalid '{param}': {kind} {side} value. Expected a value {sign} {bound}, but got \
                 {got} instead."
            );
            (words, Some(code))
        }
        Rule::Unsupported(Some(value)) if param == "reasoning_effort" || param == "tool_choice" => {
            (
                format!("Unsupported value: '{param}' does not support {value} with this model."),
                Some("unsupported_value"),
            )
        }
        Rule::Unsupported(Some(value)) => (
            format!(
                "Unsupported value: '{param}' does not support {value} with this model. Only the \
                 default (1) value is supported."
            ),
            Some("unsupported_value"),
        ),
        Rule::Unsupported(None) => {
            let hint =
                if param == "max_tokens" { " Use 'max_completion_tokens' instead." } else { "" };
            let words =
                format!("Unsupported parameter: '{param}' is not supported with this model.{hint}");
            (words, Some("unsupported_parameter"))
        }
        Rule::Unknown => (format!("Unknown parameter: '{param}'."), Some("unknown_parameter")),
        Rule::Orphan => (
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding \
             message with 'tool_calls'."
                .to_owned(),
            None,
        ),
        Rule::Unanswered(ids) => (
            format!(
                "An assistant message with 'tool_calls' must be followed by tool messages \
                 responding to each 'tool_call_id'. The following tool_call_ids did not have \
                 response messages: {}",
                ids.join(", ")
            ),
            None,
        ),
        Rule::NoSight => (
            "Invalid content type. image_url is only supported by certain models.".to_owned(),
            None,
        ),
        Rule::Role(role) => (
            format!(
                "Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', \
                 'function', 'tool', and 'developer'."
            ),
            Some("invalid_value"),
        ),
        Rule::Words(words) if words.contains("does not match pattern") => {
            (words.clone(), Some("invalid_value"))
        }
        Rule::Words(words) => (words.clone(), None),
    };
    let body: Value = json!({"error": {"message": words, "type": "invalid_request_error",
        "param": param, "code": code}});
    Refusal::new(400, body)
}
