//! Checks that several platforms make, each with its own bounds.

use serde_json::Value;

use super::ask::{Body, given};
use super::complaint::{Complaint, Range, Rule};

/// Each number that is given lies in its range.
pub(super) fn ranges(body: &Body, ranges: &[(&'static str, Range)]) -> Result<(), Complaint> {
    for (param, range) in ranges {
        let Some(value) = given(body, param) else { continue };
        let Some(got) = value.as_f64() else {
            let want = if range.whole { "integer" } else { "decimal" };
            return Err(Complaint::invalid(*param, Rule::Type(want)));
        };
        if !range.holds(got) {
            return Err(Complaint::invalid(*param, Rule::Range { range: *range, got }));
        }
    }
    Ok(())
}

/// `max_tokens` and `max_completion_tokens`, as far as they are given.
pub(super) fn token_limits(body: &Body) -> (Option<u64>, Option<u64>) {
    let read = |key| given(body, key).and_then(Value::as_u64);
    (read("max_tokens"), read("max_completion_tokens"))
}

/// The messages, without a look at their shape.
pub(super) fn messages(body: &Body) -> impl Iterator<Item = (usize, &Body)> {
    let list = body.get("messages").and_then(Value::as_array).into_iter().flatten();
    list.enumerate().filter_map(|(at, message)| Some((at, message.as_object()?)))
}

/// Roles are among `known`.
pub(super) fn roles(body: &Body, known: &[&str]) -> Result<(), Complaint> {
    for (at, message) in messages(body) {
        if let Some(role) = message.get("role").and_then(Value::as_str)
            && !known.contains(&role)
        {
            let rule = Rule::Role(role.to_owned());
            return Err(Complaint::invalid(format!("messages[{at}].role"), rule));
        }
    }
    Ok(())
}

/// `content` is there and not null, in every message.
pub(super) fn contents(body: &Body) -> Result<(), Complaint> {
    for (at, message) in messages(body) {
        if given(message, "content").is_none() {
            return Err(Complaint::invalid(format!("messages[{at}].content"), Rule::Missing));
        }
    }
    Ok(())
}

/// What a model without eyes takes: no parts at all, or no image among them.
pub(super) fn sightless(body: &Body, parts: Parts) -> Result<(), Complaint> {
    for (at, message) in messages(body) {
        let Some(Value::Array(list)) = message.get("content") else { continue };
        let param = format!("messages[{at}].content");
        let sees = |part: &Value| {
            part.get("type").and_then(Value::as_str).is_some_and(|kind| kind != "text")
        };
        if list.iter().any(sees) {
            return Err(Complaint::invalid(param, Rule::NoSight));
        }
        if parts == Parts::Refused {
            return Err(Complaint::invalid(param, Rule::Type("string")));
        }
    }
    Ok(())
}

/// Whether a platform takes a list of text parts where it takes no image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    Taken,
    Refused,
}

/// `json_object` needs the word "json" in the messages.
pub(super) fn says_json(body: &Body) -> Result<(), Complaint> {
    let kind = body.get("response_format").and_then(|format| format.get("type"));
    if kind.and_then(Value::as_str) != Some("json_object") {
        return Ok(());
    }
    let said = messages(body).any(|(_, message)| {
        let content = message.get("content").map(Value::to_string).unwrap_or_default();
        content.to_lowercase().contains("json")
    });
    if said {
        return Ok(());
    }
    Err(Complaint::words(
        "messages",
        "'messages' must contain the word 'json' in some form, to use 'response_format' of type \
         'json_object'.",
    ))
}

/// `stream_options` only beside `stream`.
pub(super) fn stream_options(body: &Body) -> Result<(), Complaint> {
    let streams = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    if given(body, "stream_options").is_none() || streams {
        return Ok(());
    }
    Err(Complaint::words(
        "stream_options",
        "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
    ))
}

/// `stop` is a list of 1 to `most` strings of at most `longest` characters.
pub(super) fn stop_list(body: &Body, most: usize, longest: usize) -> Result<(), Complaint> {
    let Some(stop) = given(body, "stop") else { return Ok(()) };
    let Some(list) = stop.as_array() else {
        return Err(Complaint::invalid("stop", Rule::Type("array")));
    };
    let good = |entry: &Value| entry.as_str().is_some_and(|stop| stop.chars().count() <= longest);
    if list.is_empty() || list.len() > most || !list.iter().all(good) {
        let words = format!("stop must have 1 to {most} entries of at most {longest} characters");
        return Err(Complaint::words("stop", words));
    }
    Ok(())
}

/// What `thinking: {"type": …}` says.
pub(super) fn thinking_type(body: &Body) -> Option<&str> {
    given(body, "thinking")?.get("type")?.as_str()
}
