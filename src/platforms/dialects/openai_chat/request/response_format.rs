//! JSON mode and JSON schemas, where a platform knows less of them than the front.

use serde_json::Value;

use super::Draft;
use super::messages::{Messages, add_system_text, read};
use crate::front::BadRequest;
use crate::front::object::Object;
use crate::platforms::dialects::pivot::JSON_OBJECT_TEXT;
use crate::platforms::rules::{JsonObject, JsonSchema};

const SCHEMA_TEXT: &str = "Answer with one JSON object that conforms to this JSON Schema:\n";

/// Puts what the platform can't be told into a system text.
pub(super) fn put_right<'a>(draft: &mut Draft<'a>, messages: &'a str) -> Result<(), BadRequest> {
    let Some(json) = draft.fields.given("response_format") else { return Ok(()) };
    let wrong = || BadRequest::field("response_format", "'response_format' is no object.");
    let format = Object::parse(json).map_err(|_| wrong())?;
    let (text, format) = match format.get("type") {
        Some("\"json_schema\"") => {
            let text = || schema_text(&format).ok_or_else(missing_schema);
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
        draft.messages = Messages::Read(read(messages)?);
    }
    if let Messages::Read(messages) = &mut draft.messages {
        add_system_text(messages, &text);
    }
    Ok(())
}

fn missing_schema() -> BadRequest {
    let param = "response_format.json_schema.schema";
    BadRequest::field(param, format!("Missing required parameter: '{param}'."))
}

fn schema_text(format: &Object<'_>) -> Option<String> {
    let named = Object::parse(format.get("json_schema")?).ok()?;
    let schema: Value = serde_json::from_str(named.get("schema")?).ok()?;
    Some(format!("{SCHEMA_TEXT}{schema}"))
}
