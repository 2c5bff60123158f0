//! JSON mode and JSON schemas in words, where a platform knows no such field.

use serde_json::Value;

use crate::front::BadRequest;
use crate::front::object::Object;

/// What asks for JSON where a platform knows no such mode.
pub(crate) const JSON_OBJECT_TEXT: &str = "Answer with one JSON object.";

const SCHEMA_TEXT: &str = "Answer with one JSON object that conforms to this JSON Schema:\n";

/// What asks for the schema of a `json_schema` format.
pub(crate) fn schema_text(format: &Object<'_>) -> Result<String, BadRequest> {
    let named = format.get("json_schema").and_then(|json| Object::parse(json).ok());
    let schema = named.as_ref().and_then(|named| named.get("schema"));
    let schema: Option<Value> = schema.and_then(|json| serde_json::from_str(json).ok());
    let param = "response_format.json_schema.schema";
    let missing = || BadRequest::field(param, format!("Missing required parameter: '{param}'."));
    Ok(format!("{SCHEMA_TEXT}{}", schema.ok_or_else(missing)?))
}
