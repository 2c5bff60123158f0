//! Compatible mode's errors: OpenAI's envelope with `id` and `request_id` beside it.

use serde_json::{Value, json};

use super::{Asked, Refusal, object, uuid};
use crate::simulator::complaint::{Class, Complaint, Rule};

const DOCS: &str = "For details, see: https://help.aliyun.com/zh/model-studio/error-code";

/// Whether an error comes from behind the gateway of the platform: then it has an `id`.
#[derive(PartialEq)]
enum From {
    Gateway,
    Model,
}

pub(super) fn refuse(complaint: &Complaint, asked: &Asked) -> Refusal {
    let request_id = uuid(asked.unique, 0);
    let say = |status, from, kind: &str, code: Option<&str>, words: &str| {
        let id = (from == From::Model).then(|| format!("chatcmpl-{request_id}").into());
        Refusal::new(status, body(id, &request_id, kind, code, words))
    };
    let gateway = |status, code: &str, words: &str| {
        say(status, From::Gateway, "invalid_request_error", Some(code), words)
    };
    let invalid = |words: &str| {
        let words = format!("<400> InternalError.Algo.InvalidParameter: {words}");
        let code = Some("invalid_parameter_error");
        say(400, From::Model, "invalid_request_error", code, &words)
    };
    // Errors whose type repeats their code.
    let twice = |status, code: &str, words: &str| say(status, From::Model, code, Some(code), words);
    let unknown = |name: &str| {
        let words = format!("The model `{name}` does not exist or you do not have access to it.");
        gateway(404, "model_not_found", &words)
    };
    let too_long = |limit: u64| invalid(&format!("Range of input length should be [1, {limit}]"));
    let bad_key = || {
        let words = format!("Incorrect API key provided. {DOCS}#apikey-error");
        gateway(401, "invalid_api_key", &words)
    };
    match complaint {
        Complaint::NoKey => {
            let words = "You didn't provide an API key. You need to provide your API key in an \
                         Authorization header using Bearer auth (i.e. Authorization: Bearer \
                         YOUR_KEY).";
            say(401, From::Gateway, "invalid_request_error", None, words)
        }
        Complaint::BadKey(_) => bad_key(),
        Complaint::NotJson => {
            let words = "We could not parse the JSON body of your request.";
            say(400, From::Gateway, "invalid_request_error", None, words)
        }
        Complaint::NoRoute => say(404, From::Gateway, "invalid_request_error", None, "Not Found"),
        Complaint::UnknownModel(name) | Complaint::Offline(name) => unknown(name),
        Complaint::TooLong { limit, .. } => too_long(*limit),
        Complaint::Invalid { param, rule: Rule::Unsupported(None) }
            if param == "enable_thinking" =>
        {
            let words = format!("The model {} does not support enable_thinking.", asked.model);
            twice(400, "InvalidParameter.NotSupportEnableThinking", &words)
        }
        Complaint::Invalid { param, rule } => match phrase(param, rule) {
            Phrase::Gateway(words) => {
                say(400, From::Gateway, "invalid_request_error", Some("invalid_value"), &words)
            }
            Phrase::Model(words) => invalid(&words),
        },
        Complaint::Class(class) => match class {
            Class::RateLimited => {
                let words = format!("You exceeded your current requests list. {DOCS}#rate-limit");
                say(429, From::Gateway, "limit_requests", Some("limit_requests"), &words)
            }
            Class::QuotaExhausted => twice(
                403,
                "AllocationQuota.FreeTierOnly",
                "The free tier of the model has been exhausted. If you wish to continue access \
                 the model on a paid basis, please disable the \"use free tier only\" mode in the \
                 management console.",
            ),
            Class::AuthExpired => bad_key(),
            Class::Banned => twice(403, "Workspace.AccessDenied", "Workspace access denied."),
            Class::Overloaded => twice(
                500,
                "ServiceUnavailable",
                "<503> InternalError.Algo: An error occurred in model serving, error message is: \
                 [Too many requests. Your requests are being throttled due to system capacity \
                 limits. Please try again later.]",
            ),
            Class::UpstreamFault => Refusal::new(500, broken(&request_id)),
            Class::ContentFiltered => {
                let words = format!(
                    "Input data may contain inappropriate content. {DOCS}#inappropriate-content"
                );
                twice(400, "data_inspection_failed", &words)
            }
            Class::ContextLength => too_long(129_024),
            Class::NotFound => unknown(&asked.model),
            Class::Html => Refusal::html(),
            Class::Empty => Refusal::empty(),
        },
    }
}

/// What a failing model says, also as the last event of a stream.
pub(super) fn broken(request_id: &str) -> Value {
    let words = "<500> InternalError.Algo: An error occurred in model serving, error message is: \
                 [Internal server error!]";
    let id = format!("chatcmpl-{request_id}").into();
    body(Some(id), request_id, "internal_error", Some("internal_error"), words)
}

fn body(id: Option<Value>, request_id: &str, kind: &str, code: Option<&str>, words: &str) -> Value {
    object([
        ("error", Some(json!({"message": words, "type": kind, "param": null, "code": code}))),
        ("id", id),
        ("request_id", Some(request_id.into())),
    ])
}

enum Phrase {
    Gateway(String),
    Model(String),
}

fn phrase(param: &str, rule: &Rule) -> Phrase {
    match rule {
        Rule::Missing if param.ends_with("content") => {
            Phrase::Model("The content field is a required field.".to_owned())
        }
        Rule::Missing => Phrase::Gateway(format!("you must provide a {param} parameter")),
        Rule::Type(want) => {
            Phrase::Model(format!("Input should be a valid {want}: parameters.{param}"))
        }
        Rule::Range { range, .. } if param == "temperature" => {
            Phrase::Model(format!("Temperature should be in {range}"))
        }
        Rule::Range { range, .. } => Phrase::Model(format!("Range of {param} should be {range}")),
        Rule::Unsupported(value) => Phrase::Model(format!(
            "'{param}' does not support {}",
            value.as_deref().unwrap_or("this value")
        )),
        Rule::Unknown => Phrase::Gateway(format!("Unknown parameter: '{param}'.")),
        Rule::Orphan => Phrase::Model(
            "messages with role \"tool\" must be a response to a preceeding message with \
             \"tool_calls\"."
                .to_owned(),
        ),
        Rule::Unanswered(ids) => Phrase::Model(format!(
            "An assistant message with \"tool_calls\" must be followed by tool messages responding \
             to each \"tool_call_id\". The following tool_call_ids did not have response messages: \
             {}",
            ids.join(", ")
        )),
        Rule::NoSight => Phrase::Model("The model does not support image input.".to_owned()),
        Rule::Role(role) => Phrase::Gateway(format!(
            "{role} is not one of ['system', 'assistant', 'user', 'tool', 'function'] - \
             '{param}'"
        )),
        Rule::Words(words) => Phrase::Model(words.clone()),
    }
}
