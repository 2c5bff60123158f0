//! The file's table with the environment laid over it, and where each key came from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::environment::{Environment, MASTER_KEYS, MASTER_KEYS_FILE};
use super::lines::{Lines, join};
use super::sections::{OPEN_SECTIONS, SECTIONS, Section};
use super::suggest::{instead_of, nearest};
use super::{Mistake, Where};

/// What was set, and where.
#[derive(Default)]
pub(super) struct Layers {
    pub(super) table: Table,
    /// The file, if there is one.
    pub(super) file: Option<PathBuf>,
    lines: Lines,
    /// Names of variables, by the dotted key that they set.
    variables: BTreeMap<String, String>,
}

/// Lays the environment over a file's text.
pub(super) fn read(
    file: Option<(&Path, &str)>,
    environment: &Environment,
) -> (Layers, Vec<Mistake>) {
    let mut mistakes = Vec::new();
    let mut layers =
        file.map(|(file, text)| read_file(file, text, &mut mistakes)).unwrap_or_default();
    for (variable, path, value) in environment.overrides() {
        if let Err((what, fix)) = layers.set(variable, &path, value) {
            let at = Where::Variable { variable: variable.to_owned() };
            mistakes.push(Mistake { at, key: path.join("."), what, fix });
        }
    }
    if let Some(filter) = &environment.rust_log
        && !layers.variables.contains_key("log.filter")
    {
        // The filter is checked with all else, under this variable's name.
        let _ = layers.set("RUST_LOG", &["log".to_owned(), "filter".to_owned()], filter);
    }
    mistakes.extend(environment.others().filter_map(mistyped));
    (layers, mistakes)
}

fn read_file(file: &Path, text: &str, mistakes: &mut Vec<Mistake>) -> Layers {
    let (lines, errors) = Lines::read(text);
    mistakes.extend(errors.into_iter().map(|error| Mistake {
        at: Where::File { file: file.to_owned(), line: Some(error.line) },
        key: String::new(),
        what: format!("not TOML: {}", error.what),
        fix: String::new(),
    }));
    let table = text.parse().unwrap_or_default();
    Layers { table, file: Some(file.to_owned()), lines, variables: BTreeMap::new() }
}

type Wrong = (String, String);

impl Layers {
    /// Where a key was set.
    pub(super) fn place(&self, key: &str) -> Where {
        if let Some(variable) = self.variables.get(key) {
            return Where::Variable { variable: variable.clone() };
        }
        match &self.file {
            Some(file) => Where::File { file: file.clone(), line: self.lines.of(key) },
            None => Where::Default,
        }
    }

    /// Whether a variable set a key.
    pub(super) fn is_from_environment(&self, key: &str) -> bool {
        self.variables.contains_key(key)
    }

    fn set(&mut self, variable: &str, path: &[String], text: &str) -> Result<(), Wrong> {
        let value = match (Section::named(&path[0]), path) {
            (Some(section), [_, key]) => fitting(section, key, text)?,
            (Some(section), _) => {
                let known = section.known();
                return Err((NO_SUCH.into(), instead_of(&path[1..].join("_"), &known)));
            }
            (None, [open, ..]) if OPEN_SECTIONS.contains(&open.as_str()) => typed(text),
            (None, _) => return Err((NO_SUCH.into(), instead_of(&path[0], &section_names()))),
        };
        put(&mut self.table, path, value).ok_or_else(|| {
            ("lies inside what is no table".to_owned(), "set the whole of it".to_owned())
        })?;
        self.variables.insert(path.join("."), variable.to_owned());
        Ok(())
    }
}

const NO_SUCH: &str = "there is no such setting";

/// Every section's name.
pub(super) fn section_names() -> Vec<String> {
    let named = SECTIONS.iter().map(|section| section.name);
    named.chain(OPEN_SECTIONS).map(str::to_owned).collect()
}

/// A variable's text as the section wants it: as it is, or read as TOML. What fits
/// neither way goes on as text, and is told with the file's mistakes.
fn fitting(section: &Section, key: &str, text: &str) -> Result<Value, Wrong> {
    let known = section.known();
    if !known.iter().any(|known| known == key) {
        return Err((NO_SUCH.into(), instead_of(key, &known)));
    }
    let plain = Value::String(text.to_owned());
    if section.try_key(key, plain.clone()).is_ok() {
        return Ok(plain);
    }
    let read = typed(text);
    Ok(if section.try_key(key, read.clone()).is_ok() { read } else { plain })
}

/// A text read as a TOML value, where it is a number, a truth value, an array, a table
/// or a quoted text; else itself.
fn typed(text: &str) -> Value {
    let read = format!("value = {text}").parse::<Table>().ok().filter(|table| table.len() == 1);
    match read.and_then(|mut table| table.remove("value")) {
        None | Some(Value::Datetime(_)) => Value::String(text.to_owned()),
        Some(value) => value,
    }
}

/// Puts a value at a path, making tables on the way; `None` where something else stands
/// in it.
fn put(table: &mut Table, path: &[String], value: Value) -> Option<()> {
    let (last, above) = path.split_last()?;
    let mut table = table;
    for key in above {
        let entry = table.entry(key).or_insert_with(|| Value::Table(Table::new()));
        table = entry.as_table_mut()?;
    }
    table.insert(last.clone(), value);
    Some(())
}

/// A variable that was meant for us, but says nothing.
fn mistyped(variable: &str) -> Option<Mistake> {
    let spelled = |name: &str| name.replace("__", "_");
    let mut known = vec![MASTER_KEYS.to_owned(), MASTER_KEYS_FILE.to_owned()];
    for section in &SECTIONS {
        let keys = section.known().into_iter();
        known.extend(
            keys.map(|key| format!("TRIBUTARY_{}__{key}", section.name).to_ascii_uppercase()),
        );
    }
    let meant = known.iter().find(|known| spelled(known) == variable).map(String::as_str);
    let near_keys = || nearest(variable, [MASTER_KEYS, MASTER_KEYS_FILE]);
    let meant = meant.or_else(near_keys)?;
    Some(Mistake {
        at: Where::Variable { variable: variable.to_owned() },
        key: String::new(),
        what: "sets nothing".to_owned(),
        fix: format!("did you mean {meant}?"),
    })
}

/// A key under a table, for places.
pub(super) fn dotted(section: &str, key: &str) -> String {
    join(section, key)
}
