//! Content parts as blocks.

use crate::front::BadRequest;
use crate::front::object::{Object, read_text, text_to_json};
use crate::platforms::dialects::pivot::{Place, parts, text_of};

/// What blocks may be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Text,
    /// Images too.
    Pictures,
    /// Images and documents too.
    Everything,
}

/// The text of an answer or an instruction as a block; nothing where there is no text.
pub(super) fn text(json: &str) -> Option<String> {
    (json != "\"\"").then(|| format!(r#"{{"type":"text","text":{json}}}"#))
}

/// Each part as a block; empty texts are left out, as the platform refuses them.
pub(super) fn blocks(at: usize, json: &str, takes: Takes) -> Result<Vec<String>, BadRequest> {
    let parts = parts(at, json)?;
    let blocks = parts.iter().map(|(place, part)| block(part, *place, takes));
    blocks.filter_map(Result::transpose).collect()
}

fn block(part: &Object<'_>, place: Place, takes: Takes) -> Result<Option<String>, BadRequest> {
    match part.get("type") {
        Some("\"text\"" | "\"refusal\"") => {
            let json = text_of(part).filter(|json| json.starts_with('"'));
            Ok(text(json.ok_or_else(|| place.wrong("a text part without text"))?))
        }
        Some("\"image_url\"") if takes != Takes::Text => image(part, place).map(Some),
        Some("\"file\"") if takes == Takes::Everything => document(part, place).map(Some),
        Some(kind) => {
            Err(place.wrong(&format!("parts of type {kind} can't be sent to Claude here")))
        }
        None => Err(place.wrong("a part without type")),
    }
}

fn image(part: &Object<'_>, place: Place) -> Result<String, BadRequest> {
    let wrong = || place.wrong("expected image_url.url to be an http(s) or base64 data URL");
    let json = part.get("image_url").unwrap_or("null");
    // Some clients leave the object out.
    let named = Object::parse(json).unwrap_or_default();
    let url = read_text(named.get("url").unwrap_or(json)).ok_or_else(wrong)?;
    let source = if url.starts_with("http://") || url.starts_with("https://") {
        format!(r#"{{"type":"url","url":{}}}"#, text_to_json(&url))
    } else {
        base64_source(&url).ok_or_else(wrong)?
    };
    Ok(format!(r#"{{"type":"image","source":{source}}}"#))
}

fn document(part: &Object<'_>, place: Place) -> Result<String, BadRequest> {
    let wrong = || place.wrong("expected file.file_data to be a PDF as a base64 data URL");
    let file = part.get("file").and_then(|json| Object::parse(json).ok()).unwrap_or_default();
    let data = file.get("file_data").and_then(read_text).ok_or_else(wrong)?;
    let is_pdf = data.starts_with("data:application/pdf;");
    let source = base64_source(&data).filter(|_| is_pdf).ok_or_else(wrong)?;
    Ok(format!(r#"{{"type":"document","source":{source}}}"#))
}

/// `data:TYPE;base64,DATA` as a source.
fn base64_source(url: &str) -> Option<String> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let media_type = head.strip_suffix(";base64")?.split(';').next()?;
    let (media_type, data) = (text_to_json(media_type), text_to_json(data));
    Some(format!(r#"{{"type":"base64","media_type":{media_type},"data":{data}}}"#))
}
