//! Messages, from the front's roles to Spark's `system`, `user` and `assistant`.
//!
//! There are no calls and results in a history: both are written as text, so that the model
//! sees what it called and what came of it.

use std::borrow::Cow;

use crate::front::BadRequest;
use crate::front::object::{Object, elements, read_text, text_to_json};
use crate::platforms::dialects::pivot::{messages_to_tools, part_text, parts, read_messages};
use crate::platforms::rules::RequestRules;

/// A conversation in Spark's form.
pub(super) struct Conversation {
    /// Instructions at its beginning; later ones are the user's.
    system: Vec<String>,
    turns: Vec<(&'static str, String)>,
    /// The one picture that is asked about, in Base64.
    picture: Option<String>,
    /// Between instructions, and between parts of one text.
    between: (String, String),
    sees: bool,
}

impl Conversation {
    /// Reads the front's messages.
    pub(super) fn read(
        json: &str,
        rules: &RequestRules,
        sees: bool,
    ) -> Result<Conversation, BadRequest> {
        let mut messages = read_messages(json)?;
        messages_to_tools(&mut messages);
        let rules = &rules.messages;
        let between = |rule: &Option<String>| rule.clone().unwrap_or_else(|| "\n".to_owned());
        let mut conversation = Conversation {
            system: Vec::new(),
            turns: Vec::new(),
            picture: None,
            between: (between(&rules.merge_leading_system), between(&rules.join_text_parts)),
            sees,
        };
        let mut calls = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            conversation.message(at, message, &mut calls)?;
        }
        Ok(conversation)
    }

    /// Adds an instruction.
    pub(super) fn ask(&mut self, text: &str) {
        self.system.push(text.to_owned());
    }

    /// Each message as JSON.
    pub(super) fn write(self) -> Result<Vec<String>, BadRequest> {
        if self.turns.is_empty() {
            let message = "Invalid 'messages': Spark wants a message of the user, beside \
                           instructions.";
            return Err(BadRequest::field("messages", message));
        }
        let message = |role: &str, text: &str, more: &str| {
            format!(r#"{{"role":"{role}","content":{}{more}}}"#, text_to_json(text))
        };
        let mut out = Vec::with_capacity(self.turns.len() + 1);
        let mut kind = "";
        if let Some(picture) = &self.picture {
            kind = r#","content_type":"text""#;
            out.push(message("user", picture, r#","content_type":"image""#));
        }
        if !self.system.is_empty() {
            out.push(message("system", &self.system.join(&self.between.0), kind));
        }
        out.extend(self.turns.iter().map(|(role, text)| message(role, text, kind)));
        Ok(out)
    }

    fn message(
        &mut self,
        at: usize,
        message: &Object<'_>,
        calls: &mut Vec<(String, String)>,
    ) -> Result<(), BadRequest> {
        let role = message.get("role").and_then(read_text).unwrap_or_default();
        let text = self.text(at, message, role == "user")?;
        let (role, text) = match &*role {
            "system" | "developer" if self.turns.is_empty() => {
                self.system.extend(text);
                return Ok(());
            }
            "system" | "developer" | "user" => ("user", text.ok_or_else(|| no_content(at))?),
            "assistant" => {
                let called = called(at, message, calls)?;
                let said = text.filter(|text| !text.is_empty() || called.is_empty());
                let lines: Vec<String> = said.into_iter().chain(called).collect();
                ("assistant", lines.join("\n"))
            }
            "tool" => {
                let id = message.get("tool_call_id").and_then(read_text).unwrap_or_default();
                let call = calls.iter().rev().find(|(call, _)| *call == id);
                let (_, name) = call.ok_or_else(|| {
                    let param = format!("messages[{at}].tool_call_id");
                    let message = format!("Invalid '{param}': no call before it has this id.");
                    BadRequest::field(param, message)
                })?;
                let result = text.ok_or_else(|| no_content(at))?;
                ("user", format!("[{name} 的结果] {result}"))
            }
            _ => {
                let param = format!("messages[{at}].role");
                let message = format!(
                    "Invalid '{param}': expected system, developer, user, assistant or tool."
                );
                return Err(BadRequest::field(param, message));
            }
        };
        self.turns.push((role, text));
        Ok(())
    }

    /// A message's text, if it has a content; pictures are put aside.
    fn text(
        &mut self,
        at: usize,
        message: &Object<'_>,
        may_show: bool,
    ) -> Result<Option<String>, BadRequest> {
        let Some(json) = message.given("content") else { return Ok(None) };
        if let Some(text) = read_text(json) {
            return Ok(Some(text.into_owned()));
        }
        let parts = parts(at, json)?;
        let mut texts = Vec::with_capacity(parts.len());
        for (place, part) in &parts {
            if let Some(text) = part_text(part) {
                texts.push(text.into_owned());
                continue;
            }
            if part.get("type") != Some("\"image_url\"") || !self.sees || !may_show {
                return Err(place.wrong("expected a text part"));
            }
            let picture = picture(part).ok_or_else(|| {
                place.wrong("Spark takes a jpg or png as a Base64 data URL, and no address")
            })?;
            if self.picture.replace(picture).is_some() {
                return Err(place.wrong("Spark is shown one picture a conversation"));
            }
        }
        Ok(Some(texts.join(&self.between.1)))
    }
}

fn no_content(at: usize) -> BadRequest {
    let param = format!("messages[{at}].content");
    let message = format!("Missing required parameter: '{param}'.");
    BadRequest::field(param, message)
}

/// The calls of an assistant's message, each in words; notes their names by id.
fn called(
    at: usize,
    message: &Object<'_>,
    calls: &mut Vec<(String, String)>,
) -> Result<Vec<String>, BadRequest> {
    let Some(json) = message.given("tool_calls") else { return Ok(Vec::new()) };
    let wrong = || {
        let param = format!("messages[{at}].tool_calls");
        let message = format!("Invalid '{param}': expected calls of functions.");
        BadRequest::field(param, message)
    };
    let mut words = Vec::new();
    for json in elements(json).map_err(|_| wrong())? {
        let call = Object::parse(json).map_err(|_| wrong())?;
        let function = call.get("function").and_then(|json| Object::parse(json).ok());
        let function = function.ok_or_else(wrong)?;
        let name = function.get("name").and_then(read_text).map(Cow::into_owned);
        let name = name.ok_or_else(wrong)?;
        let arguments = function.get("arguments").and_then(read_text).unwrap_or_default();
        words.push(format!("[调用 {name}] {arguments}"));
        let id = call.get("id").and_then(read_text).unwrap_or_default();
        calls.push((id.into_owned(), name));
    }
    Ok(words)
}

/// The bare Base64 of a data URL of a picture that Spark takes.
fn picture(part: &Object<'_>) -> Option<String> {
    let image = Object::parse(part.get("image_url")?).ok()?;
    let url = read_text(image.get("url")?)?;
    let (kind, base64) = url.strip_prefix("data:image/")?.split_once(";base64,")?;
    matches!(kind, "jpeg" | "jpg" | "png").then(|| base64.to_owned())
}
