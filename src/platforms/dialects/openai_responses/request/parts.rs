//! Content parts, from the front's form to that of Responses.

use crate::front::BadRequest;
use crate::front::object::{Object, text_to_json};
use crate::platforms::dialects::pivot::{self, Place, text_of};

/// What a message's parts may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Text alone, as the model's own (`output_text`).
    Said,
    /// Text alone.
    Text,
    /// Images and files too.
    Everything,
}

/// A content, a text or a list of parts, as a list of parts there.
pub(super) fn content(at: usize, json: &str, takes: Takes) -> Result<String, BadRequest> {
    if json.starts_with('"') {
        return Ok(format!("[{}]", text(json, takes)));
    }
    let parts = pivot::parts(at, json)?;
    let parts = parts.iter().map(|(place, part)| self::part(part, *place, takes));
    Ok(format!("[{}]", parts.collect::<Result<Vec<_>, _>>()?.join(",")))
}

fn text(json: &str, takes: Takes) -> String {
    let kind = if takes == Takes::Said { "output_text" } else { "input_text" };
    format!(r#"{{"type":"{kind}","text":{json}}}"#)
}

fn part(part: &Object<'_>, place: Place, takes: Takes) -> Result<String, BadRequest> {
    let said = text_of(part).filter(|json| json.starts_with('"'));
    match (part.get("type"), said) {
        (Some("\"refusal\""), Some(json)) if takes == Takes::Said => {
            Ok(format!(r#"{{"type":"refusal","refusal":{json}}}"#))
        }
        (Some("\"text\"" | "\"refusal\""), Some(json)) => Ok(text(json, takes)),
        (Some("\"text\"" | "\"refusal\""), None) => Err(place.wrong("a text part without text")),
        (Some("\"image_url\""), _) if takes == Takes::Everything => image(part, place),
        (Some("\"file\""), _) if takes == Takes::Everything => file(part, place),
        (Some(kind), _) => Err(place.wrong(&format!("parts of type {kind} can't be sent here"))),
        (None, _) => Err(place.wrong("a part without type")),
    }
}

fn image(part: &Object<'_>, place: Place) -> Result<String, BadRequest> {
    let json = part.get("image_url").unwrap_or("null");
    // Some clients leave the object out.
    let named = Object::parse(json).unwrap_or_default();
    let url = named.get("url").unwrap_or(json);
    if !url.starts_with('"') {
        return Err(place.wrong("expected image_url.url"));
    }
    let detail = named.given("detail").unwrap_or("\"auto\"");
    Ok(format!(r#"{{"type":"input_image","image_url":{url},"detail":{detail}}}"#))
}

fn file(part: &Object<'_>, place: Place) -> Result<String, BadRequest> {
    let wrong = || place.wrong("expected file.file_data or file.file_id");
    let named = Object::parse(part.get("file").unwrap_or("null")).map_err(|_| wrong())?;
    let mut file = Object::default();
    file.set("type", text_to_json("input_file"));
    for name in ["filename", "file_data", "file_id"] {
        if let Some(json) = named.given(name) {
            file.set(name, json);
        }
    }
    if file.get("file_data").or(file.get("file_id")).is_none() {
        return Err(wrong());
    }
    Ok(file.to_json())
}
