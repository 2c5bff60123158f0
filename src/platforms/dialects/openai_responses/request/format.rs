//! The answer's form: JSON mode, JSON schemas, verbosity.

use crate::front::BadRequest;
use crate::front::object::Object;

/// Sets `text`, and tells whether some JSON object is wanted.
pub(super) fn text(fields: &Object<'_>, out: &mut Object<'_>) -> Result<bool, BadRequest> {
    let mut text = Object::default();
    let mut wants_object = false;
    if let Some(json) = fields.given("response_format") {
        let format = format(json)?;
        wants_object = format.get("type") == Some("\"json_object\"");
        text.set("format", format.to_json());
    }
    if let Some(verbosity) = fields.given("verbosity") {
        text.set("verbosity", verbosity);
    }
    if !text.is_empty() {
        out.set("text", text.to_json());
    }
    Ok(wants_object)
}

/// A `response_format`, whose schema stands flat there.
fn format(json: &str) -> Result<Object<'_>, BadRequest> {
    let wrong = |param: &str, what: &str| {
        BadRequest::field(param, format!("Invalid '{param}': expected {what}."))
    };
    let format =
        Object::parse(json).map_err(|_| wrong("response_format", "an object with a type"))?;
    if format.get("type") != Some("\"json_schema\"") {
        return Ok(format);
    }
    let param = "response_format.json_schema";
    let named = Object::parse(format.get("json_schema").unwrap_or_default());
    let named = named.map_err(|_| wrong(param, "an object with a name and a schema"))?;
    let mut flat = Object::default();
    flat.set("type", "\"json_schema\"");
    for name in ["name", "description", "strict", "schema"] {
        if let Some(json) = named.given(name) {
            flat.set(name, json.to_owned());
        }
    }
    Ok(owned(&flat))
}

/// The same, borrowing of nothing that ends here.
fn owned<'a>(object: &Object<'_>) -> Object<'a> {
    let mut own = Object::default();
    for (name, json) in object.iter() {
        own.set(name.to_owned(), json.to_owned());
    }
    own
}
