//! The line of each key in a TOML text.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Lines, from 1, by dotted key; an array's elements are keyed by their index.
#[derive(Default)]
pub(super) struct Lines(BTreeMap<String, usize>);

/// A text's syntax error.
pub(super) struct SyntaxError {
    pub(super) line: usize,
    pub(super) what: String,
}

impl Lines {
    /// Reads where keys stand, and every syntax error.
    pub(super) fn read(text: &str) -> (Self, Vec<SyntaxError>) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let starts = Starts::of(text);
        let mut lines = BTreeMap::new();
        walk_table("", table.get_ref(), &starts, &mut lines);
        let errors = errors.iter().map(|error| SyntaxError {
            line: starts.line(error.span().unwrap_or_default()),
            what: error.message().lines().collect::<Vec<_>>().join(", "),
        });
        (Self(lines), errors.collect())
    }

    /// The line of a key, or of the nearest table around it.
    pub(super) fn of(&self, key: &str) -> Option<usize> {
        let mut key = key;
        loop {
            if let Some(line) = self.0.get(key) {
                return Some(*line);
            }
            key = &key[..key.rfind('.')?];
        }
    }
}

fn walk_table(
    above: &str,
    table: &DeTable<'_>,
    starts: &Starts,
    lines: &mut BTreeMap<String, usize>,
) {
    for (key, value) in table.iter() {
        let path = join(above, key.get_ref());
        lines.insert(path.clone(), starts.line(key.span()));
        walk(&path, value, starts, lines);
    }
}

fn walk(
    path: &str,
    value: &Spanned<DeValue<'_>>,
    starts: &Starts,
    lines: &mut BTreeMap<String, usize>,
) {
    match value.get_ref() {
        DeValue::Table(table) => walk_table(path, table, starts, lines),
        DeValue::Array(array) => {
            for (index, value) in array.iter().enumerate() {
                let path = join(path, &index.to_string());
                lines.insert(path.clone(), starts.line(value.span()));
                walk(&path, value, starts, lines);
            }
        }
        _ => {}
    }
}

pub(super) fn join(above: &str, key: &str) -> String {
    if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") }
}

/// Where each line begins.
struct Starts(Vec<usize>);

impl Starts {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    fn line(&self, span: Range<usize>) -> usize {
        self.0.partition_point(|end| *end < span.start) + 1
    }
}
