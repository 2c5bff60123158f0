//! Rules for messages.

use super::Draft;
use crate::front::BadRequest;
use crate::front::object::{Object, elements, read_text, text_to_json};
use crate::platforms::dialects::pivot::{self, messages_to_tools, part_text, read_messages};
use crate::platforms::rules::{ImageRules, Legacy, MessageRules};

/// The messages on their way through the rules.
pub(super) enum Messages<'a> {
    /// As they came.
    Untouched,
    /// Read, and perhaps changed.
    Read(Vec<Object<'a>>),
}

impl Messages<'_> {
    /// The messages as JSON text, if they were read.
    pub(super) fn to_json(&self) -> Option<String> {
        let Messages::Read(messages) = self else { return None };
        let mut out = String::from("[");
        for (number, message) in messages.iter().enumerate() {
            if number > 0 {
                out.push(',');
            }
            message.write(&mut out);
        }
        out.push(']');
        Some(out)
    }
}

/// Brings the messages into the platform's form.
pub(super) fn put_right<'a>(draft: &mut Draft<'a>, json: &'a str) -> Result<(), BadRequest> {
    let rules = &draft.rules.messages;
    let old_form = draft.rules.legacy == Legacy::AsTools;
    if rules.is_plain() && !old_form && !pivot::may_be_foreign(json.as_bytes()) {
        return Ok(());
    }
    let mut messages = read_messages(json)?;
    if old_form {
        messages_to_tools(&mut messages);
    }
    for message in &mut messages {
        pivot::drop_foreign(message);
        rename_role(message, rules);
        content(message, draft)?;
    }
    if let Some(between) = &rules.merge_leading_system {
        merge_leading_system(&mut messages, between);
    }
    draft.messages = Messages::Read(messages);
    Ok(())
}

/// Adds a text at the end of the leading system messages.
pub(super) fn add_system_text(messages: &mut Vec<Object<'_>>, text: &str) {
    let leading = messages.iter().take_while(|message| has_role(message, "system")).count();
    let last = leading.checked_sub(1).and_then(|last| messages.get_mut(last));
    if let Some(last) = last
        && let Some(there) = last.get("content").and_then(read_text)
    {
        let joined = text_to_json(&format!("{there}\n\n{text}"));
        last.set("content", joined);
        return;
    }
    let mut message = Object::default();
    message.set("role", "\"system\"");
    message.set("content", text_to_json(text));
    messages.insert(leading, message);
}

/// Whether a message may lack its content.
fn may_be_empty(message: &Object<'_>) -> bool {
    ["assistant", "function"].into_iter().any(|role| has_role(message, role))
}

fn has_role(message: &Object<'_>, role: &str) -> bool {
    message.get("role").and_then(read_text).is_some_and(|there| there == role)
}

fn rename_role(message: &mut Object<'_>, rules: &MessageRules) {
    let role = message.get("role").and_then(read_text);
    if let Some(name) = role.and_then(|role| rules.roles.get(&*role)) {
        message.set("role", text_to_json(name));
    }
}

fn content(message: &mut Object<'_>, draft: &Draft<'_>) -> Result<(), BadRequest> {
    let rules = &draft.rules.messages;
    let now = match (message.given("content"), &rules.null_content) {
        // Calls may stand in the place of text; a question without text is no question.
        (None, Some(text)) if may_be_empty(message) => text_to_json(text),
        (None, Some(_)) => {
            let message = "Missing required parameter: a message without 'content'.";
            return Err(BadRequest::field("messages", message));
        }
        (Some(json), _) if json.starts_with('[') => match parts(json, draft)? {
            Some(now) => now,
            None => return Ok(()),
        },
        _ => return Ok(()),
    };
    message.set("content", now);
    Ok(())
}

/// Content parts in the platform's form, where that is another.
fn parts(json: &str, draft: &Draft<'_>) -> Result<Option<String>, BadRequest> {
    let rules = &draft.rules.messages;
    let wrong =
        |_| BadRequest::field("messages", "A message has content parts that are no objects.");
    let parts: Vec<Object<'_>> = elements(json)
        .map_err(wrong)?
        .into_iter()
        .map(Object::parse)
        .collect::<Result<_, _>>()
        .map_err(wrong)?;
    if let Some(between) = &rules.join_text_parts {
        let texts: Option<Vec<_>> = parts.iter().map(part_text).collect();
        if let Some(texts) = texts {
            return Ok(Some(text_to_json(&texts.join(between))));
        }
    }
    if !rules.images.drop_detail && !rules.images.bare_base64 {
        return Ok(None);
    }
    let mut out = Vec::with_capacity(parts.len());
    for mut part in parts {
        if part.get("type") == Some("\"image_url\"") {
            image(&mut part, &rules.images);
        }
        out.push(part.to_json());
    }
    Ok(Some(format!("[{}]", out.join(","))))
}

fn image(part: &mut Object<'_>, rules: &ImageRules) {
    let Some(json) = part.get("image_url").map(str::to_owned) else { return };
    let Ok(mut image) = Object::parse(&json) else { return };
    if rules.drop_detail {
        image.remove("detail");
    }
    if rules.bare_base64 {
        let bare = image.get("url").and_then(read_text).and_then(|url| {
            let (_, base64) = url.strip_prefix("data:")?.split_once(";base64,")?;
            Some(text_to_json(base64))
        });
        if let Some(bare) = bare {
            image.set("url", bare);
        }
    }
    part.set("image_url", image.to_json());
}

fn merge_leading_system(messages: &mut Vec<Object<'_>>, between: &str) {
    let mut texts = Vec::new();
    for message in messages.iter() {
        let text = message.get("content").and_then(read_text);
        match text {
            Some(text) if has_role(message, "system") => texts.push(text.into_owned()),
            _ => break,
        }
    }
    if texts.len() > 1 {
        messages.drain(1..texts.len());
        if let Some(first) = messages.first_mut() {
            first.set("content", text_to_json(&texts.join(between)));
        }
    }
}
