//! Messages, from the front's roles to turns of user and assistant.
//!
//! Instructions stand apart, in `system`. Results of calls are the user's, and stand before
//! what he says; neighbours of one role are one turn.

use super::blocks::{Takes, blocks, text};
use super::calls::Calls;
use crate::front::BadRequest;
use crate::front::object::{Object, elements, read_text, text_to_json};
use crate::platforms::dialects::pivot::{
    content, read_history, texts, thinking_blocks, wrong_content,
};

/// Thinking of the platform's own.
const KINDS: [&str; 2] = ["\"thinking\"", "\"redacted_thinking\""];

/// A conversation in Messages' form.
#[derive(Default)]
pub(super) struct Conversation {
    system: Vec<String>,
    turns: Vec<Turn>,
    /// The last assistant's turn called without the thinking that led to it.
    unthought: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    User,
    Assistant,
}

struct Turn {
    role: Role,
    content: Content,
}

enum Content {
    /// A JSON string.
    Text(String),
    /// Blocks as JSON.
    Blocks(Vec<String>),
}

impl Content {
    fn into_blocks(self) -> Vec<String> {
        match self {
            Content::Text(json) => text(&json).into_iter().collect(),
            Content::Blocks(blocks) => blocks,
        }
    }
}

impl Conversation {
    /// Reads the front's messages; with `legacy`, calls and results in the old form too.
    pub(super) fn read(json: &str, legacy: bool) -> Result<Conversation, BadRequest> {
        let messages = read_history(json, legacy)?;
        let (mut conversation, mut calls) = (Conversation::default(), Calls::default());
        for (at, message) in messages.iter().enumerate() {
            conversation.message(at, message, &mut calls)?;
        }
        calls.settled()?;
        Ok(conversation)
    }

    /// Adds an instruction.
    pub(super) fn ask(&mut self, text: &str) {
        self.system.push(text.to_owned());
    }

    /// Whether it ends in results of calls whose thinking is not there.
    pub(super) fn resumes_unthought(&self) -> bool {
        self.unthought
    }

    /// Writes `system` and `messages`.
    pub(super) fn write(self, fields: &mut Object<'_>) -> Result<(), BadRequest> {
        if self.turns.is_empty() {
            let message = "Invalid 'messages': Claude wants a message of the user, beside \
                           instructions.";
            return Err(BadRequest::field("messages", message));
        }
        if !self.system.is_empty() {
            fields.set("system", text_to_json(&self.system.join("\n\n")));
        }
        let written: Vec<String> = self.turns.into_iter().map(Turn::into_json).collect();
        fields.set("messages", format!("[{}]", written.join(",")));
        Ok(())
    }

    fn message(
        &mut self,
        at: usize,
        message: &Object<'_>,
        calls: &mut Calls,
    ) -> Result<(), BadRequest> {
        match message.get("role").and_then(read_text).as_deref() {
            Some("system" | "developer") => {
                let json = content(at, message)?;
                if json.starts_with('[') {
                    self.system.extend(texts(at, json)?);
                } else {
                    self.system.push(read_text(json).unwrap_or_default().into_owned());
                }
                Ok(())
            }
            Some("user") => {
                calls.settled()?;
                let json = content(at, message)?;
                let content = if json.starts_with('[') {
                    Content::Blocks(blocks(at, json, Takes::Everything)?)
                } else {
                    Content::Text(json.to_owned())
                };
                self.push(Role::User, content);
                Ok(())
            }
            Some("assistant") => {
                calls.settled()?;
                self.assistant(at, message, calls)
            }
            Some("tool") => {
                let id = message.get("tool_call_id").and_then(read_text).unwrap_or_default();
                let id = text_to_json(&calls.answered(&id)?);
                let json = content(at, message)?;
                let result = if json.starts_with('[') {
                    format!("[{}]", blocks(at, json, Takes::Pictures)?.join(","))
                } else {
                    json.to_owned()
                };
                let block =
                    format!(r#"{{"type":"tool_result","tool_use_id":{id},"content":{result}}}"#);
                self.push(Role::User, Content::Blocks(vec![block]));
                Ok(())
            }
            _ => {
                let param = format!("messages[{at}].role");
                let message = format!(
                    "Invalid '{param}': expected system, developer, user, assistant or tool."
                );
                Err(BadRequest::field(param, message))
            }
        }
    }

    fn assistant(
        &mut self,
        at: usize,
        message: &Object<'_>,
        calls: &mut Calls,
    ) -> Result<(), BadRequest> {
        let thought = thinking_blocks(at, message, &KINDS)?;
        let called = tool_uses(at, message, calls)?;
        // A refusal is what was said in the place of an answer.
        let said = message.given("content").or_else(|| message.given("refusal"));
        let said = match said {
            Some(json) if json.starts_with('[') => Content::Blocks(blocks(at, json, Takes::Text)?),
            Some(json) if json.starts_with('"') => Content::Text(json.to_owned()),
            Some(_) => return Err(wrong_content(at)),
            None => Content::Blocks(Vec::new()),
        };
        self.unthought = !called.is_empty() && thought.is_empty();
        if thought.is_empty() && called.is_empty() {
            let is_empty = match &said {
                Content::Text(json) => json == "\"\"",
                Content::Blocks(blocks) => blocks.is_empty(),
            };
            // The platform takes no empty turn, and an empty answer says nothing.
            if !is_empty {
                self.push(Role::Assistant, said);
            }
            return Ok(());
        }
        let thought = thought.into_iter().map(str::to_owned);
        let blocks = thought.chain(said.into_blocks()).chain(called).collect();
        self.push(Role::Assistant, Content::Blocks(blocks));
        Ok(())
    }

    fn push(&mut self, role: Role, content: Content) {
        match self.turns.last_mut().filter(|last| last.role == role) {
            Some(last) => {
                let there = std::mem::replace(&mut last.content, Content::Blocks(Vec::new()));
                let mut blocks = there.into_blocks();
                blocks.extend(content.into_blocks());
                last.content = Content::Blocks(blocks);
            }
            None => self.turns.push(Turn { role, content }),
        }
    }
}

impl Turn {
    fn into_json(self) -> String {
        let role = match self.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        let content = match self.content {
            Content::Text(json) => json,
            Content::Blocks(blocks) => format!("[{}]", blocks.join(",")),
        };
        format!(r#"{{"role":"{role}","content":{content}}}"#)
    }
}

/// The calls of an assistant's message.
fn tool_uses(
    at: usize,
    message: &Object<'_>,
    calls: &mut Calls,
) -> Result<Vec<String>, BadRequest> {
    let Some(json) = message.given("tool_calls") else { return Ok(Vec::new()) };
    let wrong = |number: usize, what: &str| {
        let param = format!("messages[{at}].tool_calls[{number}]");
        let message = format!("Invalid '{param}': {what}.");
        BadRequest::field(param, message)
    };
    let listed = elements(json).map_err(|_| wrong(0, "expected a list of calls"))?;
    let mut uses = Vec::with_capacity(listed.len());
    for (number, json) in listed.into_iter().enumerate() {
        let call = Object::parse(json).map_err(|_| wrong(number, "expected an object"))?;
        let function = call.get("function").and_then(|json| Object::parse(json).ok());
        let function = function.ok_or_else(|| wrong(number, "expected a call of a function"))?;
        let name = function.get("name").filter(|name| name.starts_with('"'));
        let name = name.ok_or_else(|| wrong(number, "a call without the function's name"))?;
        let arguments = function.given("arguments").and_then(read_text).unwrap_or_default();
        let arguments = arguments.trim();
        let input = if arguments.is_empty() { "{}" } else { arguments };
        let is_object =
            input.starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(input).is_ok();
        if !is_object {
            return Err(wrong(number, "its arguments are no JSON object"));
        }
        let id = call.get("id").and_then(read_text).unwrap_or_default();
        let id = text_to_json(&calls.made(&id));
        uses.push(format!(r#"{{"type":"tool_use","id":{id},"name":{name},"input":{input}}}"#));
    }
    Ok(uses)
}
