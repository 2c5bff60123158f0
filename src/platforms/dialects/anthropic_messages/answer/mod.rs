//! Answers, whole or streamed, written anew.

mod counts;
mod stop;
mod stream;
mod thoughts;
mod whole;

pub(super) use stream::Stream;
pub(super) use whole::whole;

use serde_json::value::RawValue;

use crate::front::Produced;
use crate::front::object::read_text;
use crate::platforms::dialects::pivot::{Delta, inside};

/// A text that is not empty, as a JSON string.
fn text(json: Option<&str>) -> Option<&str> {
    json.filter(|json| json.starts_with('"') && *json != "\"\"")
}

/// A word that is not empty.
fn word(json: Option<&RawValue>) -> Option<String> {
    let word = json.and_then(|json| read_text(json.get()))?;
    (!word.is_empty()).then(|| word.into_owned())
}

/// Adds what was produced, of JSON strings.
fn add_text(produced: &mut Produced, delta: &Delta<'_>) {
    let texts = [&delta.content, &delta.reasoning, &delta.refusal];
    let texts = texts.into_iter().filter_map(|text| text.as_deref());
    for text in texts.chain(delta.calls.iter().map(|call| &*call.arguments)) {
        produced.add(inside(text).as_bytes());
    }
}
