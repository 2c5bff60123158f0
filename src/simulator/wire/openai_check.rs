//! What OpenAI refuses in a chat request.

use serde_json::Value;

use crate::simulator::ask::{Body, given};
use crate::simulator::check;
use crate::simulator::complaint::{Complaint, Range, Rule};
use crate::simulator::models::{Model, Thinks};

/// Every parameter that chat completions have (the SDK's `completion_create_params`).
const KNOWN: &[&str] = &[
    "messages",
    "model",
    "audio",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "modalities",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
    "functions",
    "function_call",
];

pub(super) fn check(body: &Body, model: &Model) -> Result<(), Complaint> {
    if let Some(unknown) = body.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(Complaint::invalid(unknown, Rule::Unknown));
    }
    check::roles(body, &["developer", "system", "user", "assistant", "tool", "function"])?;
    nulls(body)?;
    check::ranges(
        body,
        &[
            ("temperature", Range::new(0.0, 2.0)),
            ("top_p", Range::new(0.0, 1.0)),
            ("frequency_penalty", Range::new(-2.0, 2.0)),
            ("presence_penalty", Range::new(-2.0, 2.0)),
            ("n", Range::whole(1, 128)),
            ("top_logprobs", Range::whole(0, 20)),
            ("max_tokens", Range::whole(1, u64::MAX)),
            ("max_completion_tokens", Range::whole(1, u64::MAX)),
        ],
    )?;
    if model.thinks != Thinks::Never {
        unsampled(body)?;
    }
    limits(body, model)?;
    effort(body, model)?;
    stops(body)?;
    tools(body)?;
    format(body)?;
    check::stream_options(body)?;
    check::says_json(body)?;
    let logprobs = body.get("logprobs").and_then(Value::as_bool).unwrap_or(false);
    if given(body, "top_logprobs").is_some() && !logprobs {
        let words = "You must set logprobs to true if using 'top_logprobs'.";
        return Err(Complaint::words("top_logprobs", words));
    }
    Ok(())
}

/// A message without calls lacks the field (openai-python, issue 1351).
fn nulls(body: &Body) -> Result<(), Complaint> {
    for (at, message) in check::messages(body) {
        for (name, kind) in [("tool_calls", "array"), ("function_call", "object")] {
            if message.get(name).is_some_and(Value::is_null) {
                return Err(Complaint::invalid(format!("messages[{at}].{name}"), Rule::Type(kind)));
            }
        }
    }
    Ok(())
}

/// Models that reason take no sampling parameters and no `max_tokens`.
pub(super) fn unsampled(body: &Body) -> Result<(), Complaint> {
    for (param, default) in [
        ("temperature", 1.0),
        ("top_p", 1.0),
        ("frequency_penalty", 0.0),
        ("presence_penalty", 0.0),
    ] {
        if let Some(value) = given(body, param)
            && value.as_f64() != Some(default)
        {
            let rule = Rule::Unsupported(Some(value.to_string()));
            return Err(Complaint::invalid(param, rule));
        }
    }
    for param in ["max_tokens", "logit_bias", "logprobs", "top_logprobs"] {
        if given(body, param).is_some_and(|value| *value != Value::Bool(false)) {
            return Err(Complaint::invalid(param, Rule::Unsupported(None)));
        }
    }
    Ok(())
}

fn limits(body: &Body, model: &Model) -> Result<(), Complaint> {
    let (old, new) = check::token_limits(body);
    for (param, limit) in [("max_tokens", old), ("max_completion_tokens", new)] {
        if let Some(limit) = limit.filter(|limit| *limit > model.max_output) {
            let words = format!(
                "{param} is too large: {limit}. This model supports at most {} completion tokens, \
                 whereas you provided {limit}.",
                model.max_output
            );
            return Err(Complaint::words(param, words));
        }
    }
    Ok(())
}

/// The efforts that a model takes, if it reasons.
pub(super) fn efforts(model: &Model) -> Option<&'static [&'static str]> {
    match model.thinks {
        Thinks::Never => None,
        Thinks::Always => Some(&["minimal", "low", "medium", "high"]),
        _ => Some(&["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
    }
}

fn effort(body: &Body, model: &Model) -> Result<(), Complaint> {
    let Some(effort) = given(body, "reasoning_effort") else { return Ok(()) };
    let unsupported = || Complaint::invalid("reasoning_effort", Rule::Unsupported(None));
    let known = efforts(model).ok_or_else(unsupported)?;
    if effort.as_str().is_some_and(|effort| known.contains(&effort)) {
        return Ok(());
    }
    let rule = Rule::Unsupported(Some(effort.to_string().replace('"', "'")));
    Err(Complaint::invalid("reasoning_effort", rule))
}

fn stops(body: &Body) -> Result<(), Complaint> {
    match given(body, "stop") {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Array(list)) if list.iter().any(|stop| !stop.is_string()) => {
            Err(Complaint::invalid("stop", Rule::Type("array of strings")))
        }
        Some(Value::Array(list)) if list.len() > 4 => Err(Complaint::words(
            "stop",
            format!(
                "Invalid 'stop': array too long. Expected an array with maximum length 4, but got \
                 an array with length {} instead.",
                list.len()
            ),
        )),
        Some(Value::Array(_)) => Ok(()),
        Some(_) => Err(Complaint::invalid("stop", Rule::Type("string or array of strings"))),
    }
}

fn tools(body: &Body) -> Result<(), Complaint> {
    let tools = given(body, "tools").and_then(Value::as_array).map(Vec::as_slice);
    match tools {
        None if given(body, "tool_choice").is_some_and(|choice| choice != "none") => {
            let words = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when \
                         'tools' are specified.";
            return Err(Complaint::words("tool_choice", words));
        }
        None if given(body, "parallel_tool_calls").is_some() => {
            let words = "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only \
                         allowed when 'tools' are specified.";
            return Err(Complaint::words("parallel_tool_calls", words));
        }
        Some([]) => {
            let words = "Invalid 'tools': empty array. Expected an array with minimum length 1, \
                         but got an empty array instead.";
            return Err(Complaint::words("tools", words));
        }
        _ => {}
    }
    for (at, tool) in tools.into_iter().flatten().enumerate() {
        let Some(function) = tool.get("function") else { continue };
        let strict = function.get("strict").and_then(Value::as_bool).unwrap_or(false);
        if let Some(parameters) = function.get("parameters").filter(|_| strict)
            && let Err(words) = strict_schema(parameters, &mut Vec::new())
        {
            let name = function.get("name").and_then(Value::as_str).unwrap_or_default();
            let words = format!("Invalid schema for function '{name}': {words}");
            return Err(Complaint::words(format!("tools[{at}].function.parameters"), words));
        }
    }
    Ok(())
}

fn format(body: &Body) -> Result<(), Complaint> {
    let Some(named) = given(body, "response_format").and_then(|f| f.get("json_schema")) else {
        return Ok(());
    };
    let Some(name) = named.get("name").and_then(Value::as_str) else {
        return Err(Complaint::invalid("response_format.json_schema.name", Rule::Missing));
    };
    let strict = named.get("strict").and_then(Value::as_bool).unwrap_or(false);
    let Some(schema) = named.get("schema").filter(|_| strict) else { return Ok(()) };
    strict_schema(schema, &mut Vec::new()).map_err(|words| {
        let words = format!("Invalid schema for response_format '{name}': {words}");
        Complaint::words("response_format", words)
    })
}

/// Strict schemas close every object and require every property.
pub(super) fn strict_schema<'a>(schema: &'a Value, path: &mut Vec<&'a str>) -> Result<(), String> {
    let Some(rules) = schema.as_object() else { return Ok(()) };
    let said = |path: &[&str], words: &str| {
        let steps: Vec<String> = path.iter().map(|step| format!("'{step}'")).collect();
        Err(format!("In context=({}), {words}", steps.join(", ")))
    };
    let properties = rules.get("properties").and_then(Value::as_object);
    if rules.get("type").and_then(Value::as_str) == Some("object") || properties.is_some() {
        if rules.get("additionalProperties") != Some(&Value::Bool(false)) {
            return said(
                path,
                "'additionalProperties' is required to be supplied and to be false.",
            );
        }
        let required = rules.get("required").and_then(Value::as_array);
        let is_required = |name: &String| {
            required.is_some_and(|list| list.iter().any(|entry| entry == name.as_str()))
        };
        if let Some(name) = properties.and_then(|map| map.keys().find(|name| !is_required(name))) {
            let words = format!(
                "'required' is required to be supplied and to be an array including every key in \
                 properties. Missing '{name}'."
            );
            return said(path, &words);
        }
    }
    for (key, value) in rules {
        match (key.as_str(), value) {
            ("properties" | "$defs" | "definitions", Value::Object(map)) => {
                for (name, schema) in map {
                    path.extend([key.as_str(), name.as_str()]);
                    strict_schema(schema, path)?;
                    path.truncate(path.len() - 2);
                }
            }
            ("items", schema) => {
                path.push("items");
                strict_schema(schema, path)?;
                path.pop();
            }
            ("anyOf", Value::Array(list)) => {
                for schema in list {
                    path.push("anyOf");
                    strict_schema(schema, path)?;
                    path.pop();
                }
            }
            _ => {}
        }
    }
    Ok(())
}
