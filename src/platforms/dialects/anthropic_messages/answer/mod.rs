//! Answers, whole or streamed, written anew.

mod counts;
mod stop;
mod stream;
mod thoughts;
mod whole;

pub(super) use stream::Stream;
pub(super) use whole::whole;

use serde_json::value::RawValue;

use crate::front::ByteCensus;
use crate::front::object::read_text;
use crate::platforms::dialects::pivot::inside;

/// A text that is not empty, as a JSON string.
fn text(json: Option<&str>) -> Option<&str> {
    json.filter(|json| json.starts_with('"') && *json != "\"\"")
}

/// A word that is not empty.
fn word(json: Option<&RawValue>) -> Option<String> {
    let word = json.and_then(|json| read_text(json.get()))?;
    (!word.is_empty()).then(|| word.into_owned())
}

/// What was produced, of JSON strings.
fn produced(texts: &[Option<&str>]) -> ByteCensus {
    let mut census = ByteCensus::default();
    for text in texts.iter().flatten() {
        census += ByteCensus::of_json_text(inside(text).as_bytes());
    }
    census
}
