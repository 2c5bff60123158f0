//! Items of an answer: what they say, and whom they call.

use crate::front::object::{Object, elements, read_text};
use crate::platforms::dialects::pivot::{Delta, text};

/// What is said by a text (JSON).
pub(super) fn content(json: Option<&str>) -> Delta<'_> {
    Delta { content: json.map(Into::into), ..Delta::default() }
}

/// What is said by a refusal (JSON).
pub(super) fn refusal(json: Option<&str>) -> Delta<'_> {
    Delta { refusal: json.map(Into::into), ..Delta::default() }
}

/// What a part of a message says; parts that are yet to come say nothing.
pub(super) fn said<'a>(part: &'a Object<'_>) -> Delta<'a> {
    match part.get("type").and_then(read_text).as_deref() {
        Some("output_text") => content(text(part.get("text"))),
        Some("refusal") => refusal(text(part.get("refusal"))),
        _ => Delta::default(),
    }
}

/// What a reasoning item thought, part by part.
pub(super) fn thoughts<'a>(item: &'a Object<'_>) -> impl Iterator<Item = Object<'a>> {
    listed(item, "summary").into_iter().chain(listed(item, "content"))
}

/// Id and name (a JSON string) of a call.
pub(super) fn call<'a>(item: &'a Object<'_>) -> Option<(String, &'a str)> {
    let id = item.given("call_id").or(item.given("id")).and_then(read_text)?;
    let name = item.get("name").filter(|name| name.starts_with('"'))?;
    Some((id.into_owned(), name))
}

/// A list of objects; nothing where there is none.
pub(super) fn listed<'a>(item: &'a Object<'_>, name: &str) -> Vec<Object<'a>> {
    let entries = item.given(name).and_then(|json| elements(json).ok()).unwrap_or_default();
    entries.into_iter().filter_map(|json| Object::parse(json).ok()).collect()
}
