//! Reading a platform's chunk: what it adds, borrowed from the event.
//!
//! Nothing in it is trusted to have the right type: a strange value is as good as
//! an absent one, and only JSON that can't be read breaks the stream.

use std::borrow::Cow;

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::front::UsageReport;
use crate::front::object::{Object, elements, read_text, text_to_json};
use crate::platforms::rules::AnswerRules;

/// What a chunk says.
#[derive(Debug, Default)]
pub(crate) struct Chunk<'a> {
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) created: Option<i64>,
    pub(crate) model: Option<Cow<'a, str>>,
    pub(crate) choices: Vec<ChoiceDelta<'a>>,
    pub(crate) usage: Option<UsageReport>,
}

/// What a chunk adds to one choice. Texts are JSON strings, quotes included, never empty.
#[derive(Debug, Default)]
pub(crate) struct ChoiceDelta<'a> {
    pub(super) index: u32,
    pub(super) reasoning: Option<Cow<'a, str>>,
    pub(super) content: Option<Cow<'a, str>>,
    pub(super) calls: Vec<CallDelta<'a>>,
    /// A JSON list's entries, without its brackets.
    pub(super) logprobs: Option<&'a str>,
    pub(crate) finish: Option<Cow<'a, str>>,
    pub(super) mark: Mark,
}

impl<'a> ChoiceDelta<'a> {
    /// What adds nothing but a text, a JSON string, or ends the only choice.
    pub(crate) fn plain(
        content: Option<Cow<'a, str>>,
        finish: Option<Cow<'a, str>>,
    ) -> ChoiceDelta<'a> {
        ChoiceDelta { content, finish, ..ChoiceDelta::default() }
    }

    /// Whether the answer is no longer by it.
    pub(crate) fn adds_nothing(&self) -> bool {
        self.reasoning.is_none()
            && self.content.is_none()
            && self.calls.is_empty()
            && self.logprobs.is_none()
    }
}

/// What a chunk adds to one tool call.
#[derive(Debug, Default)]
pub(super) struct CallDelta<'a> {
    pub(super) index: Option<u64>,
    pub(super) id: Option<Cow<'a, str>>,
    /// A JSON string.
    pub(super) name: Option<&'a str>,
    /// A JSON string.
    pub(super) arguments: Option<Cow<'a, str>>,
}

/// What the platform's flag says of a choice.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    #[default]
    Clean,
    /// It may be shown, and ends in `content_filter`.
    Filtered,
    /// It must not be shown, and ends in `content_filter`.
    Hidden,
    /// It is no part of the answer.
    Skipped,
}

type Raw<'a> = Option<&'a RawValue>;

#[derive(Deserialize)]
struct Top<'a> {
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow)]
    sid: Raw<'a>,
    #[serde(borrow)]
    created: Raw<'a>,
    #[serde(borrow)]
    model: Raw<'a>,
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    usage: Raw<'a>,
}

/// The choices alone, for those that are marked.
#[derive(Deserialize)]
struct Marked<'a> {
    #[serde(borrow)]
    choices: Option<Vec<Object<'a>>>,
}

/// A choice as it came; read by [`read_choices`].
#[derive(Deserialize)]
pub(crate) struct Choice<'a> {
    #[serde(borrow)]
    index: Raw<'a>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    /// In whole answers.
    #[serde(borrow)]
    message: Option<Delta<'a>>,
    #[serde(borrow)]
    logprobs: Raw<'a>,
    #[serde(borrow)]
    finish_reason: Raw<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Raw<'a>,
    #[serde(borrow)]
    reasoning_content: Raw<'a>,
    /// Some servers' name for it, sometimes beside the other.
    #[serde(borrow)]
    reasoning: Raw<'a>,
    #[serde(borrow)]
    tool_calls: Raw<'a>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    index: Raw<'a>,
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow, rename = "type")]
    kind: Raw<'a>,
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Raw<'a>,
    #[serde(borrow)]
    arguments: Raw<'a>,
}

impl<'a> Chunk<'a> {
    /// Reads a chunk, or a whole answer, whose choices have `message` for `delta`.
    pub(super) fn read(text: &'a str, rules: &AnswerRules) -> serde_json::Result<Chunk<'a>> {
        let top: Top<'a> = serde_json::from_str(text)?;
        let mut choices = read_choices(top.choices.unwrap_or_default());
        if may_be_marked(text, rules) {
            let marked: Marked<'_> = serde_json::from_str(text)?;
            for (choice, marked) in choices.iter_mut().zip(marked.choices.unwrap_or_default()) {
                choice.mark = read_mark(&marked, rules);
            }
        }
        Ok(Chunk {
            id: top.id.and_then(word).or(top.sid.and_then(word)),
            created: top.created.and_then(number).filter(|created| *created > 0),
            model: top.model.and_then(word),
            choices,
            usage: top.usage.and_then(|json| UsageReport::read(json.get())),
        })
    }
}

/// What choices add, of a chunk or (with `message`) of a whole answer.
pub(crate) fn read_choices(choices: Vec<Choice<'_>>) -> Vec<ChoiceDelta<'_>> {
    (0..).zip(choices).map(|(place, choice)| read_choice(place, choice)).collect()
}

/// A choice without a number has that of its place.
fn read_choice(place: u32, choice: Choice<'_>) -> ChoiceDelta<'_> {
    let mut read = ChoiceDelta {
        index: choice.index.and_then(number).unwrap_or(place),
        logprobs: choice.logprobs.and_then(logprobs),
        finish: choice.finish_reason.and_then(word),
        ..ChoiceDelta::default()
    };
    if let Some(delta) = choice.delta.or(choice.message) {
        read.content = delta.content.and_then(read_content);
        read.reasoning = delta.reasoning_content.or(delta.reasoning).and_then(read_content);
        read.calls = delta.tool_calls.map(|json| read_calls(json.get())).unwrap_or_default();
    }
    read
}

/// Tool calls: a list, or one alone without it. Calls of other types are not ours to pass on.
pub(super) fn read_calls(json: &str) -> Vec<CallDelta<'_>> {
    let calls: Vec<Call<'_>> = if json.starts_with('[') {
        serde_json::from_str(json).unwrap_or_default()
    } else {
        serde_json::from_str(json).map(|call| vec![call]).unwrap_or_default()
    };
    let functions = calls.into_iter().filter(|call| match call.kind.and_then(word) {
        Some(kind) => kind == "function",
        None => true,
    });
    functions.map(read_call).collect()
}

fn read_call(call: Call<'_>) -> CallDelta<'_> {
    let function = call.function;
    CallDelta {
        index: call.index.and_then(number),
        id: call.id.and_then(word),
        name: function
            .as_ref()
            .and_then(|function| function.name)
            .map(RawValue::get)
            .filter(|json| json.starts_with('"') && *json != "\"\""),
        arguments: function.and_then(|function| function.arguments).and_then(arguments),
    }
}

/// Arguments as a JSON string; an object becomes its text.
fn arguments(json: &RawValue) -> Option<Cow<'_, str>> {
    match json.get() {
        "\"\"" | "null" => None,
        text if text.starts_with('"') => Some(Cow::Borrowed(text)),
        text => Some(Cow::Owned(text_to_json(text))),
    }
}

/// A text that is not empty, as a JSON string; a list of text parts becomes one text.
pub(crate) fn read_content(json: &RawValue) -> Option<Cow<'_, str>> {
    match json.get() {
        "\"\"" => None,
        text if text.starts_with('"') => Some(Cow::Borrowed(text)),
        text if text.starts_with('[') => {
            let joined = joined_parts(text)?;
            (!joined.is_empty()).then(|| Cow::Owned(text_to_json(&joined)))
        }
        _ => None,
    }
}

fn joined_parts(json: &str) -> Option<String> {
    let mut joined = String::new();
    for part in elements(json).ok()? {
        let part = Object::parse(part).ok()?;
        joined.push_str(&part.get("text").and_then(read_text).unwrap_or_default());
    }
    Some(joined)
}

/// The entries of `{"content":[…]}`, if there are any.
fn logprobs(json: &RawValue) -> Option<&str> {
    #[derive(Deserialize)]
    struct Logprobs<'a> {
        #[serde(borrow)]
        content: Raw<'a>,
    }
    let read: Logprobs<'_> = serde_json::from_str(json.get()).ok()?;
    let entries = read.content?.get().strip_prefix('[')?.strip_suffix(']')?.trim();
    (!entries.is_empty()).then_some(entries)
}

fn word(json: &RawValue) -> Option<Cow<'_, str>> {
    read_text(json.get()).filter(|text| !text.is_empty())
}

fn number<T: serde::de::DeserializeOwned>(json: &RawValue) -> Option<T> {
    serde_json::from_str(json.get()).ok()
}

/// A cheap look, so that only marked chunks are read twice.
fn may_be_marked(json: &str, rules: &AnswerRules) -> bool {
    let flagged = rules.flag.as_ref().is_some_and(|flag| {
        memmem::find_iter(json.as_bytes(), flag.field.as_bytes()).any(|at| {
            let after = json.get(at + flag.field.len()..).unwrap_or_default();
            let value = after.trim_start_matches(['"', ':', ' ']);
            !value.starts_with(['0', ',', '}'])
        })
    });
    flagged || rules.skip.keys().any(|key| memmem::find(json.as_bytes(), key.as_bytes()).is_some())
}

fn read_mark(choice: &Object<'_>, rules: &AnswerRules) -> Mark {
    let delta = choice.get("delta").and_then(|json| Object::parse(json).ok()).unwrap_or_default();
    let skipped = rules.skip.iter().any(|(key, values)| {
        let there = choice.get(key).or_else(|| delta.get(key)).and_then(read_text);
        there.is_some_and(|there| values.iter().any(|value| *value == there))
    });
    if skipped {
        return Mark::Skipped;
    }
    let flag = rules.flag.as_ref().and_then(|rule| {
        let value: i64 = serde_json::from_str(choice.get(&rule.field)?).ok()?;
        Some((rule, value))
    });
    match flag {
        Some((rule, value)) if rule.hidden.contains(&value) => Mark::Hidden,
        Some((rule, value)) if rule.filtered.contains(&value) => Mark::Filtered,
        _ => Mark::Clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Chunk<'_> {
        Chunk::read(text, &AnswerRules::default()).unwrap()
    }

    #[test]
    fn strange_values_are_absent_values() {
        let chunk = read(
            r#"{"id":7,"created":"x","choices":[{"index":"0","delta":
                {"content":[{"text":"a"},{"text":"b"}],"reasoning_content":3}}],"usage":[]}"#,
        );
        assert_eq!((chunk.id, chunk.created), (None, None));
        assert_eq!(chunk.choices[0].content.as_deref(), Some("\"ab\""));
        assert_eq!(chunk.choices[0].reasoning, None);
    }

    #[test]
    fn calls_come_as_a_list_or_alone_and_arguments_as_text_or_object() {
        let alone =
            read_calls(r#"{"type":"function","function":{"name":"f","arguments":{"a":1}}}"#);
        assert_eq!(alone[0].arguments.as_deref(), Some(r#""{\"a\":1}""#));
        let list = read_calls(
            r#"[{"index":1,"id":"","function":{"arguments":"x"}},{"type":"web_search","id":"w"}]"#,
        );
        assert_eq!(list.len(), 1);
        assert_eq!((list[0].index, list[0].id.as_deref(), list[0].name), (Some(1), None, None));
    }

    #[test]
    fn flags_and_tags_mark_a_choice() {
        let rules: AnswerRules = toml::from_str(
            "flag = { field = 'flag', filtered = [2, 3], hidden = [3] }
             skip = { delta_tag = ['search_status'] }",
        )
        .unwrap();
        let mark = |choice: &str| {
            let text = format!(r#"{{"choices":[{choice}]}}"#);
            Chunk::read(&text, &rules).unwrap().choices[0].mark
        };
        assert_eq!(mark(r#"{"flag":0,"delta":{}}"#), Mark::Clean);
        assert_eq!(mark(r#"{"flag": 2}"#), Mark::Filtered);
        assert_eq!(mark(r#"{"flag":3}"#), Mark::Hidden);
        assert_eq!(mark(r#"{"delta":{"delta_tag":"search_status"},"flag":0}"#), Mark::Skipped);
    }
}
