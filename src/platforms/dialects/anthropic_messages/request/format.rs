//! JSON mode and JSON schemas.

use crate::front::BadRequest;
use crate::front::object::Object;

/// The form that the answer shall have.
pub(super) enum Format {
    Text,
    /// Some JSON object: asked for in words, for Messages has no such mode.
    Object,
    /// An instance of this JSON schema.
    Schema(String),
}

impl Format {
    /// Takes the caller's wish out.
    pub(super) fn take(fields: &mut Object<'_>) -> Result<Format, BadRequest> {
        let Some(json) = fields.remove("response_format").filter(|json| json != "null") else {
            return Ok(Format::Text);
        };
        let wrong = || {
            let message = "Invalid 'response_format': expected text, json_object or json_schema.";
            BadRequest::field("response_format", message)
        };
        let format = Object::parse(&json).map_err(|_| wrong())?;
        match format.get("type") {
            Some("\"text\"") => Ok(Format::Text),
            Some("\"json_object\"") => Ok(Format::Object),
            Some("\"json_schema\"") => {
                let named = format.get("json_schema").and_then(|json| Object::parse(json).ok());
                let schema = named.as_ref().and_then(|named| named.given("schema"));
                let param = "response_format.json_schema.schema";
                let missing =
                    || BadRequest::field(param, format!("Missing required parameter: '{param}'."));
                Ok(Format::Schema(schema.ok_or_else(missing)?.to_owned()))
            }
            _ => Err(wrong()),
        }
    }
}
