//! Messages, from the front's roles to instructions and items.
//!
//! What the system says first is `instructions`; later on it is the developer's message. An
//! assistant's turn is its reasoning, what it said, then its calls, each an item of its own.

use super::parts::{Takes, content};
use crate::front::BadRequest;
use crate::front::object::{Object, elements, read_text, text_to_json};
use crate::platforms::dialects::pivot::{
    self, JSON_OBJECT_TEXT, read_history, texts, thinking_blocks, wrong_content,
};

/// A conversation as items.
#[derive(Default)]
pub(super) struct Input {
    instructions: Vec<String>,
    items: Vec<String>,
    /// Stands before all items.
    first: Option<String>,
}

impl Input {
    /// Reads the front's messages.
    pub(super) fn read(json: &str, legacy: bool) -> Result<Input, BadRequest> {
        let mut input = Input::default();
        for (at, message) in read_history(json, legacy)?.iter().enumerate() {
            input.message(at, message)?;
        }
        Ok(input)
    }

    /// Puts an item before all others.
    pub(super) fn begin_with(&mut self, item: String) {
        self.first = Some(item);
    }

    /// JSON mode is refused unless an item has the word. Where the instructions have it, the
    /// caller did say it.
    pub(super) fn say_json(&mut self) {
        let says = |text: &String| text.to_ascii_lowercase().contains("json");
        if self.instructions.iter().any(says) && !self.items.iter().any(says) {
            self.items.push(developer(JSON_OBJECT_TEXT));
        }
    }

    /// Writes `instructions` and `input`.
    pub(super) fn write(mut self, out: &mut Object<'_>) {
        if self.items.is_empty() {
            // Instructions alone are no input.
            self.items = self.instructions.iter().map(|text| developer(text)).collect();
            self.instructions.clear();
        }
        if !self.instructions.is_empty() {
            out.set("instructions", text_to_json(&self.instructions.join("\n\n")));
        }
        let items: Vec<String> = self.first.into_iter().chain(self.items).collect();
        out.set("input", format!("[{}]", items.join(",")));
    }

    fn message(&mut self, at: usize, message: &Object<'_>) -> Result<(), BadRequest> {
        match message.get("role").and_then(read_text).as_deref() {
            Some("system" | "developer") => self.instruct(at, pivot::content(at, message)?),
            Some("user") => {
                let content = content(at, pivot::content(at, message)?, Takes::Everything)?;
                self.say("user", &content);
                Ok(())
            }
            Some("assistant") => self.assistant(at, message),
            Some("tool") => self.result(at, message),
            _ => {
                let param = format!("messages[{at}].role");
                let message = format!(
                    "Invalid '{param}': expected system, developer, user, assistant or tool."
                );
                Err(BadRequest::field(param, message))
            }
        }
    }

    fn instruct(&mut self, at: usize, json: &str) -> Result<(), BadRequest> {
        if !self.items.is_empty() {
            let content = content(at, json, Takes::Text)?;
            self.say("developer", &content);
        } else if json.starts_with('[') {
            self.instructions.extend(texts(at, json)?);
        } else {
            self.instructions.push(read_text(json).unwrap_or_default().into_owned());
        }
        Ok(())
    }

    fn assistant(&mut self, at: usize, message: &Object<'_>) -> Result<(), BadRequest> {
        let thought = thinking_blocks(at, message, &["\"reasoning\""])?;
        self.items.extend(thought.into_iter().map(str::to_owned));
        match (message.given("content"), message.given("refusal")) {
            (Some(json), _) if json.starts_with(['"', '[']) => {
                // An empty text says nothing.
                if !matches!(json, "\"\"" | "[]") {
                    self.say("assistant", &content(at, json, Takes::Said)?);
                }
            }
            (Some(_), _) => return Err(wrong_content(at)),
            (None, Some(json)) => {
                self.say("assistant", &format!(r#"[{{"type":"refusal","refusal":{json}}}]"#));
            }
            (None, None) => {}
        }
        self.calls(at, message)
    }

    fn calls(&mut self, at: usize, message: &Object<'_>) -> Result<(), BadRequest> {
        let Some(json) = message.given("tool_calls") else { return Ok(()) };
        let wrong = |number: usize, what: &str| {
            let param = format!("messages[{at}].tool_calls[{number}]");
            let message = format!("Invalid '{param}': {what}.");
            BadRequest::field(param, message)
        };
        let listed = elements(json).map_err(|_| wrong(0, "expected a list of calls"))?;
        for (number, json) in listed.into_iter().enumerate() {
            let call = Object::parse(json).map_err(|_| wrong(number, "expected an object"))?;
            let function = call.get("function").and_then(|json| Object::parse(json).ok());
            let function =
                function.ok_or_else(|| wrong(number, "expected a call of a function"))?;
            let text =
                |json: Option<&str>| json.filter(|json| json.starts_with('"')).map(str::to_owned);
            let id = text(call.get("id")).ok_or_else(|| wrong(number, "a call without id"))?;
            let name = text(function.get("name"));
            let name = name.ok_or_else(|| wrong(number, "a call without the function's name"))?;
            let arguments = text(function.get("arguments"));
            let arguments = arguments.unwrap_or_else(|| "\"{}\"".to_owned());
            self.items.push(format!(
                r#"{{"type":"function_call","call_id":{id},"name":{name},"arguments":{arguments}}}"#
            ));
        }
        Ok(())
    }

    fn result(&mut self, at: usize, message: &Object<'_>) -> Result<(), BadRequest> {
        let missing = || {
            let param = format!("messages[{at}].tool_call_id");
            let message = format!("Missing required parameter: '{param}'.");
            BadRequest::field(param, message)
        };
        let id =
            message.get("tool_call_id").filter(|id| id.starts_with('"')).ok_or_else(missing)?;
        let json = pivot::content(at, message)?;
        let output = if json.starts_with('"') {
            json.to_owned()
        } else {
            content(at, json, Takes::Everything)?
        };
        self.items
            .push(format!(r#"{{"type":"function_call_output","call_id":{id},"output":{output}}}"#));
        Ok(())
    }

    fn say(&mut self, role: &str, content: &str) {
        self.items.push(format!(r#"{{"type":"message","role":"{role}","content":{content}}}"#));
    }
}

/// An instruction as an item.
fn developer(text: &str) -> String {
    let text = text_to_json(text);
    format!(
        r#"{{"type":"message","role":"developer","content":[{{"type":"input_text","text":{text}}}]}}"#
    )
}
