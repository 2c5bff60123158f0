//! What an answer adds, step by step, and where it goes.

use std::borrow::Cow;

use crate::front::UsageReport;

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
