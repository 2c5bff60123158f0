//! Reading messages and their parts.

use std::borrow::Cow;

use crate::front::BadRequest;
use crate::front::object::{Object, elements, read_text};

/// Reads messages as objects.
pub(crate) fn read_messages(json: &str) -> Result<Vec<Object<'_>>, BadRequest> {
    let wrong = |number: usize| {
        let message = format!("Invalid type for 'messages[{number}]': expected an object.");
        BadRequest::field(format!("messages[{number}]"), message)
    };
    let messages = elements(json).map_err(|error| {
        BadRequest::field("messages", format!("'messages' can't be read: {error}."))
    })?;
    let read = |(number, json)| Object::parse(json).map_err(|_| wrong(number));
    messages.into_iter().enumerate().map(read).collect()
}

/// The text of a text part; a refusal is text too.
pub(crate) fn part_text<'a>(part: &'a Object<'_>) -> Option<Cow<'a, str>> {
    match part.get("type")? {
        "\"text\"" => read_text(part.get("text")?),
        "\"refusal\"" => read_text(part.get("refusal")?),
        _ => None,
    }
}
