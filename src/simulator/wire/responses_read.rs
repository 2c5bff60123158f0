//! What OpenAI's Responses take, and what they refuse.

use serde_json::{Value, json};

use super::openai_check::{efforts, strict_schema, unsampled};
use super::responses::seal;
use super::responses_items::Items;
use crate::simulator::ask::{Ask, Body, Thinking, given};
use crate::simulator::check;
use crate::simulator::complaint::{Complaint, Range, Rule};
use crate::simulator::models::{Model, Thinks};

/// Every parameter of a response (the SDK's `response_create_params`).
const KNOWN: &[&str] = &[
    "background",
    "context_management",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "moderation",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// What needs the store, which is not simulated.
const STORED: [&str; 4] = ["background", "conversation", "previous_response_id", "prompt"];

/// What a person's plan doesn't take ("Preview limitations").
const NOT_BY_PLAN: [&str; 15] = [
    "background",
    "conversation",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "moderation",
    "previous_response_id",
    "prompt",
    "prompt_cache_retention",
    "safety_identifier",
    "temperature",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// Checks what a person's plan takes beside.
pub(super) fn admits(is_plan: bool, body: &Body) -> Result<(), Complaint> {
    if !is_plan {
        return Ok(());
    }
    if let Some(param) = NOT_BY_PLAN.iter().find(|name| given(body, name).is_some()) {
        return Err(Complaint::invalid(*param, Rule::Unsupported(None)));
    }
    for (param, wanted) in [("stream", true), ("store", false)] {
        if body.get(param) != Some(&Value::Bool(wanted)) {
            let words = format!("'{param}' must be {wanted} with a ChatGPT plan.");
            return Err(Complaint::words(param, words));
        }
    }
    if given(body, "tools").is_some() {
        let words = "Function tools go into 'input' as 'additional_tools' with a ChatGPT plan.";
        return Err(Complaint::words("tools", words));
    }
    let items = body.get("input").and_then(Value::as_array).into_iter().flatten();
    if items.into_iter().any(|item| item.get("role") == Some(&json!("system"))) {
        return Err(Complaint::invalid("input", Rule::Role("system".to_owned())));
    }
    Ok(())
}

/// Whether the last event of a stream leaves the output out, as it does for plans' tools.
pub(super) fn bare(ask: &Ask) -> bool {
    ask.bare_end
}

/// Reads a request: checked, and brought into the form that all requests are answered from.
pub(super) fn read(body: &Body, model: &'static Model) -> Result<Ask, Complaint> {
    if let Some(unknown) = body.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(Complaint::invalid(unknown, Rule::Unknown));
    }
    if let Some(stored) = STORED
        .iter()
        .find(|name| given(body, name).is_some_and(|value| *value != Value::Bool(false)))
    {
        return Err(Complaint::invalid(*stored, Rule::Unsupported(None)));
    }
    check::ranges(
        body,
        &[
            ("temperature", Range::new(0.0, 2.0)),
            ("top_p", Range::new(0.0, 1.0)),
            ("top_logprobs", Range::whole(0, 20)),
            ("max_output_tokens", Range::whole(16, u64::MAX)),
        ],
    )?;
    if model.thinks != Thinks::Never {
        unsampled(body)?;
    }
    let limit = given(body, "max_output_tokens").and_then(Value::as_u64);
    if let Some(limit) = limit.filter(|limit| *limit > model.max_output) {
        let words = format!(
            "Invalid 'max_output_tokens': integer above maximum value. Expected a value <= {}, \
             but got {limit} instead.",
            model.max_output
        );
        return Err(Complaint::words("max_output_tokens", words));
    }
    types(body)?;
    let mut items = Items::read(body)?;
    let mut chat = Body::new();
    if let Some(format) = text(body)? {
        if format["type"] == "json_object" && !items.says_json {
            let words = "Response input messages must contain the word 'json' in some form to use \
                         'text.format' of type 'json_object'.";
            return Err(Complaint::words("input", words));
        }
        chat.insert("response_format".to_owned(), format);
    }
    if let Some(instructions) = given(body, "instructions").and_then(Value::as_str) {
        items.messages.insert(0, json!({"role": "system", "content": instructions}));
    }
    if let Some(listed) = given(body, "tools") {
        items.tools.extend(tools(listed, "tools")?);
    }
    if let Some(choice) = given(body, "tool_choice") {
        chat.insert("tool_choice".to_owned(), self::choice(choice, &mut items.tools)?);
    }
    for name in ["parallel_tool_calls", "stream", "stream_options"] {
        if let Some(value) = given(body, name) {
            chat.insert(name.to_owned(), value.clone());
        }
    }
    chat.insert("messages".to_owned(), items.messages.into());
    if !items.tools.is_empty() {
        chat.insert("tools".to_owned(), items.tools.into());
    }
    let mut ask = Ask::read(&chat, model)?;
    ask.whole_limit = limit.unwrap_or(u64::MAX);
    ask.thinking = thinking(body, model)?;
    ask.bare_end = items.with_tools;
    Ok(ask)
}

fn types(body: &Body) -> Result<(), Complaint> {
    for (name, is_right, wanted) in [
        ("instructions", Value::is_string as fn(&Value) -> bool, "a string"),
        ("metadata", Value::is_object, "an object"),
        ("parallel_tool_calls", Value::is_boolean, "a boolean"),
        ("store", Value::is_boolean, "a boolean"),
        ("stream", Value::is_boolean, "a boolean"),
        ("user", Value::is_string, "a string"),
    ] {
        if given(body, name).is_some_and(|value| !is_right(value)) {
            return Err(Complaint::invalid(name, Rule::Type(wanted)));
        }
    }
    check::stream_options(body)?;
    let options = given(body, "stream_options").and_then(Value::as_object);
    if let Some(unknown) =
        options.and_then(|it| it.keys().find(|key| *key != "include_obfuscation"))
    {
        return Err(Complaint::invalid(format!("stream_options.{unknown}"), Rule::Unknown));
    }
    Ok(())
}

/// How much the model thinks, and whether a summary is shown.
fn thinking(body: &Body, model: &Model) -> Result<Thinking, Complaint> {
    let asked = given(body, "reasoning").and_then(Value::as_object);
    if let Some(unknown) = asked.and_then(|it| {
        it.keys().find(|key| !["effort", "summary", "context", "mode"].contains(&key.as_str()))
    }) {
        return Err(Complaint::invalid(format!("reasoning.{unknown}"), Rule::Unknown));
    }
    let field = |name: &str| asked.and_then(|it| it.get(name)).filter(|value| !value.is_null());
    let effort = field("effort");
    if let Some(effort) = effort {
        let known = efforts(model)
            .ok_or_else(|| Complaint::invalid("reasoning.effort", Rule::Unsupported(None)))?;
        if !effort.as_str().is_some_and(|effort| known.contains(&effort)) {
            let words = format!(
                "Unsupported value: 'reasoning.effort' does not support {} with this model.",
                effort.to_string().replace('"', "'")
            );
            return Err(Complaint::words("reasoning.effort", words));
        }
    }
    let summary = field("summary");
    let is_known = |summary: &Value| ["auto", "concise", "detailed"].iter().any(|it| summary == it);
    if summary.is_some_and(|summary| !is_known(summary)) {
        return Err(Complaint::invalid(
            "reasoning.summary",
            Rule::Type("auto, concise or detailed"),
        ));
    }
    let thinks = effort.is_some_and(|effort| effort != "none");
    Ok(match model.thinks {
        Thinks::Never => Thinking::Off,
        Thinks::IfAsked if !thinks => Thinking::Off,
        _ if summary.is_some() => Thinking::Shown,
        _ => Thinking::Hidden,
    })
}

/// The answer's form, as chat has it.
fn text(body: &Body) -> Result<Option<Value>, Complaint> {
    let Some(text) = given(body, "text") else { return Ok(None) };
    let Some(text) = text.as_object() else {
        return Err(Complaint::invalid("text", Rule::Type("an object")));
    };
    if let Some(unknown) = text.keys().find(|key| !["format", "verbosity"].contains(&key.as_str()))
    {
        return Err(Complaint::invalid(format!("text.{unknown}"), Rule::Unknown));
    }
    if let Some(verbosity) = given(text, "verbosity")
        && !["low", "medium", "high"].iter().any(|known| verbosity == known)
    {
        return Err(Complaint::invalid("text.verbosity", Rule::Type("low, medium or high")));
    }
    let Some(format) = given(text, "format").and_then(Value::as_object) else { return Ok(None) };
    let known: &[&str] = match format.get("type").and_then(Value::as_str) {
        Some("text" | "json_object") => &["type"],
        Some("json_schema") => &["type", "name", "schema", "strict", "description"],
        _ => return Err(Complaint::invalid("text.format.type", Rule::Missing)),
    };
    if let Some(unknown) = format.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(Complaint::invalid(format!("text.format.{unknown}"), Rule::Unknown));
    }
    if known.len() == 1 {
        return Ok(Some(Value::Object(format.clone())));
    }
    let Some(name) = format.get("name").and_then(Value::as_str) else {
        return Err(Complaint::invalid("text.format.name", Rule::Missing));
    };
    let Some(schema) = format.get("schema") else {
        return Err(Complaint::invalid("text.format.schema", Rule::Missing));
    };
    if format.get("strict") == Some(&Value::Bool(true)) {
        strict_schema(schema, &mut Vec::new()).map_err(|words| {
            let words = format!("Invalid schema for response_format '{name}': {words}");
            Complaint::words("text.format.schema", words)
        })?;
    }
    Ok(Some(json!({"type": "json_schema", "json_schema": {"name": name, "schema": schema}})))
}

/// Functions, as chat has them.
pub(super) fn tools(listed: &Value, place: &str) -> Result<Vec<Value>, Complaint> {
    let Some(listed) = listed.as_array() else {
        return Err(Complaint::invalid(place, Rule::Type("an array")));
    };
    let mut tools = Vec::new();
    for (at, tool) in listed.iter().enumerate() {
        let param = |field: &str| format!("{place}[{at}].{field}");
        let Some(tool) = tool.as_object() else {
            return Err(Complaint::invalid(format!("{place}[{at}]"), Rule::Type("an object")));
        };
        match tool.get("type").and_then(Value::as_str) {
            Some("function") => {}
            Some(other) => {
                let rule = Rule::Unsupported(Some(format!("'{other}'")));
                return Err(Complaint::invalid(param("type"), rule));
            }
            None => return Err(Complaint::invalid(param("type"), Rule::Missing)),
        }
        const OWN: [&str; 5] = ["type", "name", "description", "parameters", "strict"];
        if let Some(unknown) = tool.keys().find(|key| !OWN.contains(&key.as_str())) {
            return Err(Complaint::invalid(param(unknown), Rule::Unknown));
        }
        for needed in ["name", "parameters", "strict"] {
            if !tool.contains_key(needed) {
                return Err(Complaint::invalid(param(needed), Rule::Missing));
            }
        }
        let parameters = given(tool, "parameters").cloned().unwrap_or_else(|| json!({}));
        if tool.get("strict") == Some(&Value::Bool(true)) {
            let name = tool["name"].as_str().unwrap_or_default();
            strict_schema(&parameters, &mut Vec::new()).map_err(|words| {
                let words = format!("Invalid schema for function '{name}': {words}");
                Complaint::words(param("parameters"), words)
            })?;
        }
        tools.push(json!({"type": "function", "function": {"name": tool["name"],
            "description": tool.get("description"), "parameters": parameters}}));
    }
    Ok(tools)
}

/// The choice of tools, as chat has it; of a set of allowed ones the others are left out.
fn choice(choice: &Value, tools: &mut Vec<Value>) -> Result<Value, Complaint> {
    let refused = |words: String| Err(Complaint::words("tool_choice", words));
    let is_there =
        |tools: &[Value], name: &Value| tools.iter().any(|tool| tool["function"]["name"] == *name);
    match choice.get("type").and_then(Value::as_str) {
        None if choice.is_string() => Ok(choice.clone()),
        Some("function") if !choice["name"].is_string() => {
            Err(Complaint::invalid("tool_choice.name", Rule::Missing))
        }
        Some("function") if is_there(tools, &choice["name"]) => {
            Ok(json!({"type": "function", "function": {"name": choice["name"]}}))
        }
        Some("function") => {
            refused("Tool choice 'function' not found in 'tools' parameter.".to_owned())
        }
        Some("allowed_tools") => {
            let names: Vec<Value> = choice["tools"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|tool| tool["name"].clone())
                .collect();
            if names.is_empty() || !names.iter().all(|name| is_there(tools, name)) {
                return refused("Allowed tools must be among 'tools'.".to_owned());
            }
            tools.retain(|tool| names.contains(&tool["function"]["name"]));
            Ok(choice["mode"].clone())
        }
        _ => Err(Complaint::invalid(
            "tool_choice",
            Rule::Type("a mode, a function or allowed tools"),
        )),
    }
}

/// Refuses reasoning that is not the model's own.
pub(super) fn proven(item: &Body, place: &str) -> Result<(), Complaint> {
    let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
    let (id, sealed) = (text("id"), text("encrypted_content"));
    if sealed.is_empty() {
        let words = format!(
            "Item with id '{id}' not found. Items are not persisted when `store` is set to false. \
             Try again with `store` set to true, or remove this item from your input."
        );
        return Err(Complaint::words(place, words));
    }
    if sealed == seal(id) {
        return Ok(());
    }
    let words = format!(
        "The encrypted content {} could not be verified. Reason: Encrypted content could not be \
         decrypted or parsed.",
        sealed.chars().take(8).collect::<String>()
    );
    Err(Complaint::words(place, words))
}
