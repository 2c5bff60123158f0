//! JSON mode and JSON schemas, where a platform knows less of them than the front.

use super::Draft;
use super::messages::{Messages, add_system_text};
use crate::front::BadRequest;
use crate::front::object::Object;
use crate::platforms::dialects::pivot::{JSON_OBJECT_TEXT, read_messages, schema_text};
use crate::platforms::rules::{JsonObject, JsonSchema};

/// Puts what the platform can't be told into a system text.
pub(super) fn put_right<'a>(draft: &mut Draft<'a>, messages: &'a str) -> Result<(), BadRequest> {
    let Some(json) = draft.fields.given("response_format") else { return Ok(()) };
    let wrong = || BadRequest::field("response_format", "'response_format' is no object.");
    let format = Object::parse(json).map_err(|_| wrong())?;
    let (text, format) = match format.get("type") {
        Some("\"json_schema\"") => {
            let text = || schema_text(&format);
            match draft.traits.json_schema.unwrap_or_default() {
                JsonSchema::Passed => return Ok(()),
                JsonSchema::ObjectAndText => (text()?, Some(r#"{"type":"json_object"}"#)),
                JsonSchema::Text => (text()?, None),
            }
        }
        Some("\"json_object\"") => match draft.traits.json_object.unwrap_or_default() {
            JsonObject::Passed => return Ok(()),
            JsonObject::Text => (JSON_OBJECT_TEXT.to_owned(), None),
        },
        // Plain text is what comes without it too.
        Some("\"text\"") if draft.traits.json_object == Some(JsonObject::Text) => {
            draft.fields.remove("response_format");
            return Ok(());
        }
        _ => return Ok(()),
    };
    match format {
        Some(format) => draft.fields.set("response_format", format),
        None => {
            draft.fields.remove("response_format");
        }
    }
    if let Messages::Untouched = draft.messages {
        draft.messages = Messages::Read(read_messages(messages)?);
    }
    if let Messages::Read(messages) = &mut draft.messages {
        add_system_text(messages, &text);
    }
    Ok(())
}
