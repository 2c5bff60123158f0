//! A few quick looks at a chunk that is passed on: what stands in it, unparsed.
//!
//! A key can't be mistaken for text: inside a JSON string its quotes are escaped.

use std::sync::LazyLock;

use memchr::memchr2;
use memchr::memmem::Finder;

use crate::front::Produced;

/// What stands in a chunk.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) choices: bool,
    /// `usage` as an object.
    pub(super) usage: bool,
    /// `error` that is not null.
    pub(super) error: bool,
    /// `finish_reason` as a text.
    pub(super) finish: bool,
    pub(super) tool_calls: bool,
    pub(super) role: bool,
}

/// Searches prepared once for the whole process.
struct Finders {
    choices: Finder<'static>,
    usage: Finder<'static>,
    error: Finder<'static>,
    finish: Finder<'static>,
    tool_calls: Finder<'static>,
    role: Finder<'static>,
    content: Finder<'static>,
    arguments: Finder<'static>,
}

static FINDERS: LazyLock<Finders> = LazyLock::new(|| Finders {
    choices: Finder::new("\"choices\""),
    usage: Finder::new("\"usage\""),
    error: Finder::new("\"error\""),
    finish: Finder::new("\"finish_reason\""),
    tool_calls: Finder::new("\"tool_calls\""),
    role: Finder::new("\"role\""),
    // Also the end of `reasoning_content`.
    content: Finder::new("ontent\""),
    arguments: Finder::new("\"arguments\""),
});

impl Facts {
    pub(super) fn of(data: &[u8]) -> Facts {
        let finders = &*FINDERS;
        Facts {
            choices: finders.choices.find(data).is_some(),
            usage: value(&finders.usage, data) == Some(b'{'),
            error: tells_error(data),
            finish: finders
                .finish
                .find_iter(data)
                .any(|at| value_start(&data[at + finders.finish.needle().len()..]) == Some(b'"')),
            tool_calls: finders.tool_calls.find(data).is_some(),
            role: finders.role.find(data).is_some(),
        }
    }
}

/// Whether `error` stands in a chunk, and is not null.
pub(super) fn tells_error(data: &[u8]) -> bool {
    value(&FINDERS.error, data).is_some_and(|first| first != b'n')
}

/// The first byte of the value of a key.
fn value(finder: &Finder<'_>, data: &[u8]) -> Option<u8> {
    let at = finder.find(data)? + finder.needle().len();
    value_start(&data[at..])
}

/// Adds the text that a chunk adds: answer, thinking, arguments.
pub(super) fn add_text(data: &[u8], produced: &mut Produced) {
    for finder in [&FINDERS.content, &FINDERS.arguments] {
        for at in finder.find_iter(data) {
            let rest = &data[at + finder.needle().len()..];
            if let Some(text) = text_at(rest) {
                produced.add(text);
            }
        }
    }
}

/// The first byte of the value after a key.
fn value_start(after: &[u8]) -> Option<u8> {
    let after = after.trim_ascii_start().strip_prefix(b":")?;
    after.trim_ascii_start().first().copied()
}

/// The text after a key, without its quotes.
fn text_at(after: &[u8]) -> Option<&[u8]> {
    let after = after.trim_ascii_start().strip_prefix(b":")?;
    let text = after.trim_ascii_start().strip_prefix(b"\"")?;
    let mut end = 0;
    loop {
        end += memchr2(b'"', b'\\', text.get(end..)?)?;
        if text[end] == b'"' {
            return Some(&text[..end]);
        }
        end += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_seen_and_texts_are_not() {
        let plain = br#"{"choices":[{"delta":{"content":"\"usage\":{\"error\":1}"},"finish_reason":null}],"usage":null,"error": null}"#;
        assert_eq!(Facts::of(plain), Facts { choices: true, ..Facts::default() });
        let all = br#"{"choices":[{"finish_reason": "stop"}],"usage" : {},"error":{}}"#;
        let facts = Facts::of(all);
        assert!(facts.choices && facts.usage && facts.error && facts.finish);
    }

    #[test]
    fn every_kind_of_text_counts_and_a_cut_one_does_not() {
        let data = r#"{"content":"a\"b","reasoning_content": "你","arguments":"{}","other":"x"}"#;
        let produced = |data: &[u8]| {
            let mut produced = Produced::default();
            add_text(data, &mut produced);
            produced
        };
        let census = produced(data.as_bytes()).census();
        assert_eq!((census.ascii, census.cjk), (6, 3));
        assert_eq!(produced(data.as_bytes()).words(), r#"a\"b你{}"#.as_bytes());
        assert_eq!(produced(br#""content":"a\"#), Produced::NOTHING);
        assert_eq!(produced(br#""content""#), Produced::NOTHING);
    }
}
