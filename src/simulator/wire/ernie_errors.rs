//! Qianfan's errors: `{"error": {"code", "message", "type"}, "id"}`.

use serde_json::{Value, json};

use super::{Asked, Refusal};
use crate::simulator::complaint::{Class, Complaint, Rule};

pub(super) fn error(code: &str, message: &str, kind: &str, id: &str) -> Value {
    json!({"error": {"code": code, "message": message, "type": kind}, "id": id})
}

pub(super) fn refuse(complaint: &Complaint, asked: &Asked) -> Refusal {
    let say = |status, code: &str, kind: &str, words: &str| {
        Refusal::new(status, error(code, words, kind, &asked.id))
    };
    let invalid = |code: &str, words: &str| say(400, code, "invalid_request_error", words);
    let bad_key =
        || say(401, "invalid_iam_token", "invalid_request_error", "IAM Certification failed");
    let too_long = || invalid("tokens_too_long", "Prompt tokens too long");
    let unknown = || {
        let words = "The model does not exist or you do not have access to it.";
        say(401, "invalid_model", "invalid_request_error", words)
    };
    match complaint {
        Complaint::NoKey | Complaint::BadKey(_) => bad_key(),
        Complaint::NotJson => invalid("malformed_json", "invalid JSON in the request body"),
        Complaint::NoRoute => Refusal::new(404, Value::Null),
        Complaint::UnknownModel(_) => unknown(),
        Complaint::Offline(_) => say(403, "model_offline", "access_denied", "The model is offline"),
        Complaint::TooLong { .. } => too_long(),
        Complaint::Invalid { param, rule } => {
            let code =
                if param.starts_with("messages") { "invalid_messages" } else { "invalid_argument" };
            invalid(code, &phrase(param, rule))
        }
        Complaint::Class(class) => match class {
            Class::RateLimited => {
                let words = "Rate limit reached for RPM";
                say(429, "rpm_rate_limit_exceeded", "rate_limit_exceeded", words)
                    .with("x-ratelimit-limit-requests", "60")
                    .with("x-ratelimit-limit-input-tokens", "150000")
                    .with("x-ratelimit-limit-output-tokens", "50000")
                    .with("x-ratelimit-remaining-requests", "0")
                    .with("x-ratelimit-remaining-input-tokens", "88123")
                    .with("x-ratelimit-remaining-output-tokens", "40911")
            }
            Class::QuotaExhausted => {
                let words = "Access denied due to overdue account";
                say(403, "account_overdue", "access_denied", words)
            }
            Class::AuthExpired => bad_key(),
            // No code for a suspended account is documented: what the gateway in front says.
            Class::Banned => {
                let request_id = super::uuid(asked.unique, 1);
                let body = json!({"code": "AccessDenied", "message": "Access denied.",
                    "requestId": request_id});
                Refusal::new(403, body)
                    .with("x-bce-request-id", request_id)
                    .with("x-bce-error-code", "AccessDenied")
                    .with("x-bce-error-message", "Access denied.")
            }
            Class::Overloaded => {
                let words = "request limit by resouce cluster reached";
                say(429, "cluster_rate_limit_exceeded", "rate_limit_exceeded", words)
            }
            Class::UpstreamFault => say(500, "internal_error", "Internal_error", "Internal error"),
            Class::ContentFiltered => {
                let words = "the content of system field is invalid";
                say(403, "system_unsafe", "unsafe_request", words)
            }
            Class::ContextLength => too_long(),
            Class::NotFound => unknown(),
            Class::Html => Refusal::html(),
            Class::Empty => Refusal::empty(),
        },
    }
}

fn phrase(param: &str, rule: &Rule) -> String {
    match rule {
        Rule::Missing => format!("{param} is required"),
        Rule::Type(want) => format!("{param} must be {want}"),
        Rule::Range { range, .. } => {
            format!("{param} must be between {} and {}", range.low, range.high)
        }
        Rule::Unsupported(_) | Rule::Unknown => format!("{param} is not supported"),
        Rule::Orphan => "tool message must follow the tool_calls that it answers".to_owned(),
        Rule::Unanswered(ids) => {
            format!("tool_calls must be followed by tool messages: {}", ids.join(", "))
        }
        Rule::NoSight => "the model does not support image input".to_owned(),
        Rule::Role(role) => format!("the role {role} of messages is invalid"),
        Rule::Words(words) => words.clone(),
    }
}
