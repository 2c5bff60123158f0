//! The native face's errors: code, message and request id, side by side.
//!
//! What a model's server refuses of a stream comes as an event inside an HTTP 200; what the
//! gateway before it refuses comes by its status, whatever was asked for.

use serde_json::{Value, json};

use super::dashscope::write;
use super::dashscope_read::ASYNC;
use super::{Asked, Refusal};
use crate::simulator::complaint::{Class, Complaint, Rule};

/// Who refuses.
enum By {
    Gateway,
    Model,
}

pub(super) fn refuse(complaint: &Complaint, asked: &Asked) -> Refusal {
    let (by, status, code, words) = match complaint {
        Complaint::NoKey => (By::Gateway, 401, "InvalidApiKey", "No API-key provided.".to_owned()),
        Complaint::BadKey(_) | Complaint::Class(Class::AuthExpired) => {
            (By::Gateway, 401, "InvalidApiKey", "Invalid API-key provided.".to_owned())
        }
        Complaint::NotJson | Complaint::NoRoute => {
            let words = "We could not parse the JSON body of your request.";
            (By::Gateway, 400, "BadRequest.IllegalInput", words.to_owned())
        }
        Complaint::UnknownModel(_) | Complaint::Offline(_) | Complaint::Class(Class::NotFound) => {
            (By::Gateway, 404, "ModelNotFound", "Model can not be found.".to_owned())
        }
        Complaint::Invalid { param, .. } if param == ASYNC => {
            let words = "current user api does not support asynchronous calls.";
            (By::Gateway, 403, "AccessDenied", words.to_owned())
        }
        Complaint::Invalid { param, rule: Rule::Unsupported(None) }
            if param == "enable_thinking" =>
        {
            let words = format!("The model {} does not support enable_thinking.", asked.model);
            (By::Model, 400, "InvalidParameter.NotSupportEnableThinking", words)
        }
        Complaint::TooLong { limit, .. } => {
            invalid(&format!("Range of input length should be [1, {limit}]"))
        }
        Complaint::Invalid { param, rule } => invalid(&phrase(param, rule)),
        Complaint::Class(class) => match class {
            Class::ContextLength => invalid("Range of input length should be [1, 129024]"),
            Class::Html => return Refusal::html(),
            Class::Empty => return Refusal::empty(),
            class => failed(*class),
        },
    };
    let data = json!({"code": code, "message": words, "request_id": asked.id});
    match by {
        By::Model if asked.stream => {
            let mut event = Vec::new();
            write(&mut event, 1, "error", status, &data);
            let event = String::from_utf8_lossy(&event).into_owned();
            Refusal::new(200, Value::String(event))
                .with("content-type", "text/event-stream;charset=UTF-8")
                .with("x-request-id", asked.id.clone())
        }
        By::Model | By::Gateway => Refusal::new(status, data),
    }
}

fn invalid(words: &str) -> (By, u16, &'static str, String) {
    let words = format!("<400> InternalError.Algo.InvalidParameter: {words}");
    (By::Model, 400, "InvalidParameter", words)
}

fn failed(class: Class) -> (By, u16, &'static str, String) {
    let (by, status, code, words) = match class {
        Class::RateLimited => (
            By::Gateway,
            429,
            "Throttling.RateQuota",
            "Requests rate limit exceeded, please try again later.",
        ),
        Class::QuotaExhausted => (
            By::Gateway,
            403,
            "AllocationQuota.FreeTierOnly",
            "The free tier of the model has been exhausted. If you wish to continue access the \
             model on a paid basis, please disable the \"use free tier only\" mode in the \
             management console.",
        ),
        Class::Banned => (By::Gateway, 403, "Workspace.AccessDenied", "Workspace access denied."),
        Class::Overloaded => {
            (By::Model, 503, "ModelUnavailable", "Model is unavailable, please try again later.")
        }
        Class::ContentFiltered => (
            By::Model,
            400,
            "DataInspectionFailed",
            "Input data may contain inappropriate content.",
        ),
        _ => (By::Model, 500, "InternalError.Algo", BROKEN),
    };
    (by, status, code, words.to_owned())
}

const BROKEN: &str = "An internal error has occured during execution, please try again later or \
                      contact service support.";

/// What a failing model says as the last event of a stream.
pub(super) fn broken(request_id: &str) -> Value {
    json!({"code": "InternalError.Algo", "message": BROKEN, "request_id": request_id})
}

fn phrase(param: &str, rule: &Rule) -> String {
    match rule {
        Rule::Missing if param.ends_with("content") => {
            "The content field is a required field.".to_owned()
        }
        Rule::Missing => format!("Missing required parameter: {param}"),
        Rule::Type(want) => format!("Input should be a valid {want}: {param}"),
        Rule::Range { range, .. } if param == "temperature" => {
            format!("Temperature should be in {range}")
        }
        Rule::Range { range, .. } => format!("Range of {param} should be {range}"),
        Rule::Unsupported(value) => {
            format!("'{param}' does not support {}", value.as_deref().unwrap_or("this value"))
        }
        Rule::Unknown => format!("Unknown parameter: '{param}'."),
        Rule::Orphan => "messages with role \"tool\" must be a response to a preceeding message \
                         with \"tool_calls\"."
            .to_owned(),
        Rule::Unanswered(ids) => format!(
            "An assistant message with \"tool_calls\" must be followed by tool messages \
             responding to each \"tool_call_id\". The following tool_call_ids did not have \
             response messages: {}",
            ids.join(", ")
        ),
        Rule::NoSight => "The model does not support image input.".to_owned(),
        Rule::Role(role) => {
            format!("{role} is not one of ['system', 'assistant', 'user', 'tool'] - '{param}'")
        }
        Rule::Words(words) => words.clone(),
    }
}
