//! The items of a Responses input, read into a chat's messages.

use serde_json::{Value, json};

use super::responses_read::{proven, tools};
use crate::simulator::ask::Body;
use crate::simulator::complaint::{Complaint, Rule};

/// An input, read.
#[derive(Default)]
pub(super) struct Items {
    pub messages: Vec<Value>,
    /// Functions that stand in the input.
    pub tools: Vec<Value>,
    pub with_tools: bool,
    /// Somewhere the word stands.
    pub says_json: bool,
    /// Calls that have no output yet.
    open: Vec<String>,
}

impl Items {
    pub(super) fn read(body: &Body) -> Result<Items, Complaint> {
        let mut items = Items::default();
        let input = match body.get("input") {
            None | Some(Value::Null) => return Err(Complaint::invalid("input", Rule::Missing)),
            Some(Value::String(text)) => {
                items.says_json = text.to_lowercase().contains("json");
                items.messages.push(json!({"role": "user", "content": text}));
                return Ok(items);
            }
            Some(Value::Array(list)) if !list.is_empty() => list,
            Some(Value::Array(_)) => {
                return Err(Complaint::words("input", "Invalid 'input': empty array."));
            }
            Some(_) => return Err(Complaint::invalid("input", Rule::Type("a string or an array"))),
        };
        for (at, item) in input.iter().enumerate() {
            let place = format!("input[{at}]");
            let Some(item) = item.as_object() else {
                return Err(Complaint::invalid(place, Rule::Type("an object")));
            };
            let kind = item.get("type").and_then(Value::as_str);
            match kind {
                Some("additional_tools") if at > 0 => {
                    let words = "'additional_tools' must be the first item.";
                    return Err(Complaint::words(place, words));
                }
                Some("additional_tools") => {
                    keys(item, &["type", "role", "tools"], &place)?;
                    if item.get("role") != Some(&json!("developer")) {
                        return Err(Complaint::invalid(format!("{place}.role"), Rule::Missing));
                    }
                    let listed = item.get("tools").unwrap_or(&Value::Null);
                    items.tools = tools(listed, &format!("{place}.tools"))?;
                    items.with_tools = true;
                }
                Some("message") | None => items.message(item, &place)?,
                Some("reasoning") => {
                    keys(
                        item,
                        &["type", "id", "summary", "content", "encrypted_content", "status"],
                        &place,
                    )?;
                    if !item.get("summary").is_some_and(Value::is_array) {
                        return Err(Complaint::invalid(format!("{place}.summary"), Rule::Missing));
                    }
                    proven(item, &place)?;
                }
                Some("function_call") => items.call(item, &place)?,
                Some("function_call_output") => items.output(item, &place)?,
                Some(other) => {
                    let words = format!("Invalid value: '{other}'.");
                    return Err(Complaint::words(format!("{place}.type"), words));
                }
            }
            items.says_json |=
                Value::Object(item.clone()).to_string().to_lowercase().contains("json");
        }
        items.settled()?;
        Ok(items)
    }

    fn settled(&self) -> Result<(), Complaint> {
        match self.open.first() {
            None => Ok(()),
            Some(id) => Err(Complaint::words(
                "input",
                format!("No tool output found for function call {id}."),
            )),
        }
    }

    fn message(&mut self, item: &Body, place: &str) -> Result<(), Complaint> {
        keys(item, &["type", "role", "content", "id", "status", "phase"], place)?;
        self.settled()?;
        let role = item.get("role").and_then(Value::as_str);
        let role = match role {
            Some("user" | "system" | "developer" | "assistant") => role.unwrap_or_default(),
            Some(other) => {
                let rule = Rule::Role(other.to_owned());
                return Err(Complaint::invalid(format!("{place}.role"), rule));
            }
            None => return Err(Complaint::invalid(format!("{place}.role"), Rule::Missing)),
        };
        let param = format!("{place}.content");
        let content = match item.get("content") {
            Some(Value::String(text)) => json!(text),
            Some(Value::Array(parts)) => {
                let said = role == "assistant";
                let part = |(at, part)| self::part(part, said, &format!("{param}[{at}]"));
                parts.iter().enumerate().map(part).collect::<Result<Value, _>>()?
            }
            None | Some(Value::Null) => return Err(Complaint::invalid(param, Rule::Missing)),
            Some(_) => return Err(Complaint::invalid(param, Rule::Type("a string or an array"))),
        };
        self.messages.push(json!({"role": role, "content": content}));
        Ok(())
    }

    fn call(&mut self, item: &Body, place: &str) -> Result<(), Complaint> {
        keys(item, &["type", "id", "call_id", "name", "arguments", "status"], place)?;
        let (id, name) = (text(item, "call_id", place)?, text(item, "name", place)?);
        let arguments = text(item, "arguments", place)?;
        let call = json!({"id": id, "type": "function",
            "function": {"name": name, "arguments": arguments}});
        self.open.push(id.to_owned());
        // Calls in a row are one turn.
        match self.messages.last_mut().and_then(|last| last.get_mut("tool_calls")) {
            Some(Value::Array(calls)) => calls.push(call),
            _ => self.messages.push(json!({"role": "assistant", "tool_calls": [call]})),
        }
        Ok(())
    }

    fn output(&mut self, item: &Body, place: &str) -> Result<(), Complaint> {
        keys(item, &["type", "id", "call_id", "output", "status"], place)?;
        let id = text(item, "call_id", place)?;
        let Some(at) = self.open.iter().position(|open| open == id) else {
            let words = format!("No tool call found for function call output with call_id {id}.");
            return Err(Complaint::words("input", words));
        };
        self.open.remove(at);
        let param = format!("{place}.output");
        let content = match item.get("output") {
            Some(Value::String(text)) => json!(text),
            Some(Value::Array(parts)) => {
                let part = |(at, part)| self::part(part, false, &format!("{param}[{at}]"));
                parts.iter().enumerate().map(part).collect::<Result<Value, _>>()?
            }
            _ => return Err(Complaint::invalid(param, Rule::Missing)),
        };
        self.messages.push(json!({"role": "tool", "tool_call_id": id, "content": content}));
        Ok(())
    }
}

/// A part of a message, as chat has it.
fn part(part: &Value, said: bool, place: &str) -> Result<Value, Complaint> {
    let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
    let wanted = |what: &str| Complaint::invalid(format!("{place}.{what}"), Rule::Missing);
    let field = |name: &str| part.get(name).and_then(Value::as_str);
    match (kind, said) {
        ("input_text", false) | ("output_text", true) => {
            let text = field("text").ok_or_else(|| wanted("text"))?;
            Ok(json!({"type": "text", "text": text}))
        }
        ("refusal", true) => {
            let text = field("refusal").ok_or_else(|| wanted("refusal"))?;
            Ok(json!({"type": "refusal", "refusal": text}))
        }
        ("input_image", false) => {
            let url = field("image_url").ok_or_else(|| wanted("image_url"))?;
            if !["https://", "http://", "data:image/"].iter().any(|start| url.starts_with(start)) {
                let words = format!("Invalid '{place}.image_url'. Expected a valid URL.");
                return Err(Complaint::words(format!("{place}.image_url"), words));
            }
            if !["low", "high", "auto", "original"].contains(&field("detail").unwrap_or_default()) {
                return Err(wanted("detail"));
            }
            Ok(json!({"type": "image_url", "image_url": {"url": url}}))
        }
        ("input_file", false) => {
            let data = field("file_data").or(field("file_url"));
            let data = data.ok_or_else(|| wanted("file_data"))?;
            Ok(json!({"type": "image_url", "image_url": {"url": data}}))
        }
        (other, _) => {
            let known = if said {
                "'output_text' and 'refusal'"
            } else {
                "'input_text', 'input_image' and 'input_file'"
            };
            let words = format!("Invalid value: '{other}'. Supported values are: {known}.");
            Err(Complaint::words(format!("{place}.type"), words))
        }
    }
}

fn keys(item: &Body, known: &[&str], place: &str) -> Result<(), Complaint> {
    match item.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(unknown) => Err(Complaint::invalid(format!("{place}.{unknown}"), Rule::Unknown)),
    }
}

fn text<'a>(item: &'a Body, name: &str, place: &str) -> Result<&'a str, Complaint> {
    let text = item.get(name).and_then(Value::as_str);
    text.ok_or_else(|| Complaint::invalid(format!("{place}.{name}"), Rule::Missing))
}
