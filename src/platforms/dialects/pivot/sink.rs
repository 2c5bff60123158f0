//! What an answer adds, step by step, and where it goes.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::front::object::read_text;
use crate::front::{Produced, UsageReport};

/// What one event adds to one choice; texts are JSON strings.
#[derive(Debug, Default)]
pub(crate) struct Delta<'a> {
    pub(crate) reasoning: Option<Cow<'a, str>>,
    pub(crate) content: Option<Cow<'a, str>>,
    pub(crate) refusal: Option<Cow<'a, str>>,
    pub(crate) calls: Vec<CallStep<'a>>,
    /// A JSON list: thinking that the platform wants back with the calls' results.
    pub(crate) thinking_blocks: Option<Cow<'a, str>>,
    /// Tokens and their log probabilities: a JSON list's entries, without its brackets.
    pub(crate) logprobs: Option<&'a str>,
}

impl Delta<'_> {
    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        let texts = [&self.content, &self.reasoning, &self.refusal, &self.thinking_blocks];
        self.calls.is_empty() && texts.iter().all(|text| text.is_none())
    }

    /// Adds what it says to what was produced.
    pub(crate) fn add_to(&self, produced: &mut Produced) {
        let texts = [&self.content, &self.reasoning, &self.refusal];
        let texts = texts.into_iter().filter_map(|text| text.as_deref());
        for text in texts.chain(self.calls.iter().map(|call| &*call.arguments)) {
            produced.add(inside(text).as_bytes());
        }
    }
}

/// One tool delta in the front's form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CallStep<'a> {
    pub(crate) index: usize,
    /// Id and name (a JSON string) of a call that opens.
    pub(crate) opens: Option<(String, &'a str)>,
    /// A JSON string.
    pub(crate) arguments: Cow<'a, str>,
}

/// Where an answer that is written anew goes.
pub(crate) trait Sink {
    /// The answer begins.
    fn begin(&mut self, id: &str, created: i64, model: &str);
    /// A choice begins.
    fn open(&mut self, choice: u32);
    /// A choice goes on.
    fn add(&mut self, choice: u32, delta: Delta<'_>);
    /// A choice ends.
    fn finish(&mut self, choice: u32, reason: &str);
    /// Everything was said.
    fn end(&mut self, usage: Option<&UsageReport>);
}

/// A JSON string without its quotes.
pub(crate) fn inside(json: &str) -> &str {
    json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or_default()
}

/// A text that is not empty, as a JSON string.
pub(crate) fn text(json: Option<&str>) -> Option<&str> {
    json.filter(|json| json.starts_with('"') && *json != "\"\"")
}

/// A word that is not empty.
pub(crate) fn word(json: Option<&RawValue>) -> Option<String> {
    let word = json.and_then(|json| read_text(json.get()))?;
    (!word.is_empty()).then(|| word.into_owned())
}
