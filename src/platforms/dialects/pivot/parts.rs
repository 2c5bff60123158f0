//! Content parts as the front has them.

use super::messages::part_text;
use crate::front::BadRequest;
use crate::front::object::{Object, elements};

/// Where a part stands, for a refusal.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) message: usize,
    pub(crate) part: usize,
}

impl Place {
    pub(crate) fn wrong(self, what: &str) -> BadRequest {
        let param = format!("messages[{}].content[{}]", self.message, self.part);
        let message = format!("Invalid '{param}': {what}.");
        BadRequest::field(param, message)
    }
}

/// The parts of a message's content, each as an object with its place.
pub(crate) fn parts(at: usize, json: &str) -> Result<Vec<(Place, Object<'_>)>, BadRequest> {
    let wrong = |_| {
        let param = format!("messages[{at}].content");
        let message = format!("Invalid type for '{param}': expected a string or a list of parts.");
        BadRequest::field(param, message)
    };
    let listed = elements(json).map_err(wrong)?.into_iter().enumerate();
    listed
        .map(|(part, json)| Ok((Place { message: at, part }, Object::parse(json).map_err(wrong)?)))
        .collect()
}

/// The texts of parts that are nothing else.
pub(crate) fn texts(at: usize, json: &str) -> Result<Vec<String>, BadRequest> {
    let text = |(place, part): &(Place, Object<'_>)| {
        let text = part_text(part).ok_or_else(|| place.wrong("expected text"))?;
        Ok(text.into_owned())
    };
    parts(at, json)?.iter().map(text).collect()
}

/// The text of a text part or a refusal, as JSON.
pub(crate) fn text_of<'a>(part: &'a Object<'_>) -> Option<&'a str> {
    match part.get("type") {
        Some("\"text\"") => part.get("text"),
        Some("\"refusal\"") => part.get("refusal"),
        _ => None,
    }
}
