//! Reading a native request: what is nested, and what a form of answer wants.

use http::HeaderMap;
use serde_json::{Value, json};

use super::qwen::{settle, thinks};
use crate::simulator::ask::{Ask, Body, Format, Native, Thinking, given};
use crate::simulator::check::{self, Parts, token_limits};
use crate::simulator::complaint::{Complaint, Range, Rule};
use crate::simulator::models::Model;
use crate::simulator::think::schema_in_instructions;

/// The header that nobody who asks for an answer may send.
pub(super) const ASYNC: &str = "x-dashscope-async";

/// Models whose answer is a bare text, and whose events hold all until then, unless asked.
const OLDER: [&str; 4] = ["qwen-plus", "qwen-flash", "qwen-turbo", "qwen-max"];

pub(super) fn admits(headers: &HeaderMap) -> Result<(), Complaint> {
    if is_enabled(headers, ASYNC) {
        return Err(Complaint::invalid(ASYNC, Rule::Unsupported(None)));
    }
    Ok(())
}

pub(super) fn streams(headers: &HeaderMap) -> bool {
    is_enabled(headers, "x-dashscope-sse")
}

fn is_enabled(headers: &HeaderMap, name: &str) -> bool {
    headers.get(name).is_some_and(|value| value == "enable")
}

/// Model, messages and parameters side by side.
pub(super) fn unfold(headers: &HeaderMap, mut body: Body) -> Result<Body, Complaint> {
    let missing = |what: &str| {
        let words = format!(
            "Required parameter \"{what}\" missing or invalid, please check the request parameters."
        );
        Err(Complaint::words(what, words))
    };
    let Some(Value::Object(mut input)) = body.remove("input") else { return missing("input") };
    let Some(Value::Object(mut flat)) = body.remove("parameters") else {
        return missing("parameters");
    };
    flat.insert("model".to_owned(), body.remove("model").unwrap_or_default());
    flat.insert("stream".to_owned(), streams(headers).into());
    let messages = match (input.remove("messages"), input.remove("prompt")) {
        (Some(messages), _) => messages,
        (None, Some(prompt)) => json!([{"role": "user", "content": prompt}]),
        (None, None) => {
            let words = "Either \"prompt\" or \"messages\" must exist and cannot both be none";
            return Err(Complaint::words("messages", words));
        }
    };
    flat.insert("messages".to_owned(), messages);
    Ok(flat)
}

/// Reads a request without its nest.
pub(super) fn read(body: &Body, model: &'static Model) -> Result<Ask, Complaint> {
    check::roles(body, &["system", "user", "assistant", "tool"])?;
    check::contents(body)?;
    check::ranges(
        body,
        &[
            ("temperature", Range::new(0.0, 2.0).high_open()),
            ("top_p", Range::new(0.0, 1.0).low_open()),
            ("presence_penalty", Range::new(-2.0, 2.0)),
            ("seed", Range::whole(0, i64::MAX as u64)),
            ("max_tokens", Range::whole(1, model.max_output)),
            ("max_completion_tokens", Range::whole(1, u64::MAX)),
            ("n", Range::whole(1, 4)),
            ("top_logprobs", Range::whole(0, 5)),
        ],
    )?;
    check::says_json(body)?;
    let mut ask = if model.sees {
        Ask::read(&in_parts(body)?, model)?
    } else {
        check::sightless(body, Parts::Refused)?;
        Ask::read(body, model)?
    };
    let thinks = thinks(body, model)?;
    settle(&ask, body, thinks)?;
    ask.native = form(body, model)?;
    agree(&ask, thinks)?;
    ask.thinking = if thinks { Thinking::Shown } else { Thinking::Off };
    ask.parallel = given(body, "parallel_tool_calls").and_then(Value::as_bool).unwrap_or(false);
    // Dated snapshots alone have them.
    ask.logprobs = ask.logprobs.filter(|_| model.name.ends_with(|it: char| it.is_ascii_digit()));
    let (answer, whole) = token_limits(body);
    ask.answer_limit = answer.unwrap_or(model.max_output);
    ask.whole_limit = whole.unwrap_or(u64::MAX);
    if ask.format == Format::Object
        && let Some(schema) = schema_in_instructions(&ask)
    {
        ask.format = Format::Schema(schema);
    }
    Ok(ask)
}

/// The form of the answer that is wanted, or usual for the model.
fn form(body: &Body, model: &Model) -> Result<Native, Complaint> {
    let is_older = OLDER.iter().any(|name| model.name.starts_with(name));
    let text = match given(body, "result_format").map(|format| format.as_str().unwrap_or_default())
    {
        None => is_older,
        Some("text") => !model.sees,
        Some("message") => false,
        Some(other) => {
            let rule = Rule::Unsupported(Some(other.to_owned()));
            return Err(Complaint::invalid("result_format", rule));
        }
    };
    let incremental = match given(body, "incremental_output") {
        None => !is_older,
        Some(Value::Bool(wanted)) => *wanted,
        Some(_) => return Err(Complaint::invalid("incremental_output", Rule::Type("boolean"))),
    };
    Ok(Native { incremental, text })
}

/// What must come together.
fn agree(ask: &Ask, thinks: bool) -> Result<(), Complaint> {
    let needs_message = thinks || !ask.tools.is_empty();
    if ask.native.text && needs_message {
        let words = "The result_format parameter must be \"message\" for tools and for thinking.";
        return Err(Complaint::words("result_format", words));
    }
    if thinks && ask.stream && !ask.native.incremental {
        let words =
            "The incremental_output parameter must be \"true\" when enable_thinking is true";
        return Err(Complaint::words("incremental_output", words));
    }
    Ok(())
}

/// The messages of a model that sees, each content a list of parts told by their keys.
fn in_parts(body: &Body) -> Result<Body, Complaint> {
    let mut body = body.clone();
    let messages = body.get_mut("messages").and_then(Value::as_array_mut);
    for (at, message) in messages.into_iter().flatten().enumerate() {
        let Some(content) = message.get_mut("content") else { continue };
        let param = format!("input.messages.{at}.content");
        let Some(parts) = content.as_array_mut() else {
            return Err(Complaint::invalid(param, Rule::Type("list")));
        };
        for part in parts {
            let pair = part.as_object().filter(|part| part.len() == 1);
            let pair = pair.and_then(|part| part.iter().next());
            *part = match pair.map(|(key, value)| (key.as_str(), value.as_str())) {
                Some(("text", Some(text))) => json!({"type": "text", "text": text}),
                Some(("image", Some(url))) => {
                    json!({"type": "image_url", "image_url": {"url": url}})
                }
                _ => {
                    let rule = Rule::Unsupported(Some("this part".to_owned()));
                    return Err(Complaint::invalid(param, rule));
                }
            };
        }
    }
    Ok(body)
}
