//! `functions` and `function_call`, the older form of tools, read as tools.

use crate::front::BadRequest;
use crate::front::object::{Object, elements, read_text, text_to_json};

/// Turns the request's own fields into tools; tells whether there were any.
pub(crate) fn to_tools(fields: &mut Object<'_>) -> Result<bool, BadRequest> {
    let functions = fields.remove("functions").filter(|json| json != "null");
    let call = fields.remove("function_call").filter(|json| json != "null");
    let Some(functions) = functions else { return Ok(false) };
    let wrong =
        |_| BadRequest::field("functions", "Invalid type for 'functions': expected a list.");
    let tools = elements(&functions).map_err(wrong)?.into_iter();
    let tools: Vec<String> =
        tools.map(|function| format!(r#"{{"type":"function","function":{function}}}"#)).collect();
    fields.set("tools", format!("[{}]", tools.join(",")));
    if let Some(call) = call {
        let choice = match Object::parse(&call) {
            Ok(named) => {
                let name = named.get("name").unwrap_or("\"\"");
                format!(r#"{{"type":"function","function":{{"name":{name}}}}}"#)
            }
            Err(_) => call.into_owned(),
        };
        fields.set("tool_choice", choice);
    }
    Ok(true)
}

/// Turns calls and results in the history into tool calls and tool results. The old
/// form has no ids: a result belongs to the last call of its name.
pub(crate) fn messages_to_tools(messages: &mut [Object<'_>]) {
    let mut calls: Vec<(String, String)> = Vec::new();
    for (number, message) in messages.iter_mut().enumerate() {
        let call = message.given("function_call").and_then(|json| Object::parse(json).ok());
        if let Some(name) = call.as_ref().and_then(|call| read_text(call.get("name")?)) {
            let name = name.into_owned();
            let id = format!("call_{number}");
            let json = message.remove("function_call").unwrap_or_default();
            let call = format!(r#"[{{"id":"{id}","type":"function","function":{json}}}]"#);
            message.set("tool_calls", call);
            calls.push((name, id));
        }
        if message.get("role") == Some("\"function\"") {
            let name = message.remove("name");
            let name = name.as_deref().and_then(read_text).unwrap_or_default();
            let call = calls.iter().rev().find(|(called, _)| *called == name);
            let id = call.map_or_else(|| format!("call_{number}"), |(_, id)| id.clone());
            message.set("role", "\"tool\"");
            message.set("tool_call_id", text_to_json(&id));
        }
    }
}

/// A finish reason for a caller who speaks of `functions`.
pub(crate) fn in_callers_words(finish: &str, legacy: bool) -> &str {
    if legacy && finish == "tool_calls" { "function_call" } else { finish }
}
