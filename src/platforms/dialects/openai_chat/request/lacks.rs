//! What a model can't do, told by the field that asks for it.
//!
//! A platform that left such a field out would give another answer than the one that was
//! asked for. What only tunes an answer is left out without a word (`drop`).

use crate::front::object::{Object, elements};
use crate::front::{BadRequest, ChatRequest};
use crate::platforms::rules::{Calls, Legacy};
use crate::platforms::{Face, Model, Reach};

const IMAGE: &str = "\"image_url\"";

/// Refuses a request for what the model lacks.
///
/// # Errors
/// The field that asks for it.
pub(crate) fn check(
    platform: &str,
    face: &Face,
    model: &Model,
    reach: &Reach,
    ask: &ChatRequest,
) -> Result<(), BadRequest> {
    for (name, why) in &face.request.refuse {
        if given(ask, name).is_some() {
            return Err(BadRequest::field(name, format!("{platform}: {why}")));
        }
    }
    let own = &reach.traits.fields;
    let face_rules = face.request.fields.iter().filter(|(name, _)| !own.contains_key(*name));
    for (name, rule) in face_rules.chain(own) {
        let number = given(ask, name).and_then(|json| serde_json::from_str::<f64>(json).ok());
        if let (Some(most), Some(number)) = (rule.refuse_above, number)
            && number > most
        {
            let message = format!("{platform} takes no '{name}' above {most}.");
            return Err(BadRequest::field(name, message));
        }
    }
    if model.sees == Some(false)
        && let Some(place) = given(ask, "messages").and_then(image)
    {
        let message = format!("The model '{}' takes no images.", model.name);
        return Err(BadRequest::field(place, message));
    }
    match reach.traits.calls {
        None | Some(Calls::Several) => Ok(()),
        Some(Calls::Never) => match functions(face, ask) {
            None => Ok(()),
            Some(field) => {
                let message = format!("The model '{}' calls no functions.", model.name);
                Err(BadRequest::field(field, message))
            }
        },
        // `false` wants what the model does anyway, and without functions nothing is called.
        Some(Calls::One) => match given(ask, "parallel_tool_calls") {
            Some("true") if functions(face, ask).is_some() => {
                let message = format!(
                    "The model '{}' makes one call a turn: 'parallel_tool_calls' may be false \
                     or left out.",
                    model.name
                );
                Err(BadRequest::field("parallel_tool_calls", message))
            }
            _ => Ok(()),
        },
    }
}

/// The field that brings functions, if one does.
fn functions(face: &Face, ask: &ChatRequest) -> Option<&'static str> {
    let is_function =
        |tool: &str| Object::parse(tool).is_ok_and(|it| it.get("type") == Some("\"function\""));
    if entries(ask, "tools").into_iter().any(is_function) {
        return Some("tools");
    }
    let old_form = face.request.legacy == Legacy::AsTools;
    (old_form && !entries(ask, "functions").is_empty()).then_some("functions")
}

/// The place of the first image.
fn image(messages: &str) -> Option<String> {
    // Most requests have none, and are not read for it.
    memchr::memmem::find(messages.as_bytes(), IMAGE.as_bytes())?;
    for (number, message) in elements(messages).ok()?.into_iter().enumerate() {
        let Ok(message) = Object::parse(message) else { continue };
        let parts = message.get("content").map(elements);
        let Some(Ok(parts)) = parts else { continue };
        let is_image =
            |part: &&str| Object::parse(part).is_ok_and(|it| it.get("type") == Some(IMAGE));
        if let Some(part) = parts.iter().position(is_image) {
            return Some(format!("messages[{number}].content[{part}]"));
        }
    }
    None
}

fn entries<'a>(ask: &'a ChatRequest, name: &str) -> Vec<&'a str> {
    given(ask, name).and_then(|json| elements(json).ok()).unwrap_or_default()
}

/// A field's value as JSON text, unless it is absent or null.
fn given<'a>(ask: &'a ChatRequest, name: &str) -> Option<&'a str> {
    let json = std::str::from_utf8(ask.field(name)?).ok()?;
    (json != "null").then_some(json)
}
