//! What became of one value.

use serde_json::Value;

/// The longest JSON that a cell shows of what is written.
const LONGEST: usize = 160;

/// The longest that it shows of what was sent.
const LONGEST_SENT: usize = 36;

/// What became of one value.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// The caller is told why.
    Refused(String),
    /// Nothing upstream differs.
    LeftOut,
    /// It goes under its name.
    Passed,
    /// Other words go upstream.
    Written(String),
}

impl Outcome {
    /// Compares what goes upstream without the value and with it.
    pub fn of(
        without: &Value,
        with: &Value,
        field: &str,
        value: &Value,
        max_output: Option<u64>,
    ) -> Outcome {
        let mut changes = Vec::new();
        differ(String::new(), Some(without), Some(with), &mut changes);
        match &changes[..] {
            // What is said anyway is as good as passed.
            [] if with.get(field) == Some(value) => Outcome::Passed,
            [] => Outcome::LeftOut,
            [(path, Some(now))] if now == value && path == field => Outcome::Passed,
            _ => {
                let change = |(path, now): &(String, Option<Value>)| match now {
                    Some(now) if now == value && path == field => "passed".to_owned(),
                    Some(now) if now == value => format!("as `{path}`"),
                    Some(now) if now.as_u64().is_some() && now.as_u64() == max_output => {
                        format!("`{path}`: the model's longest answer")
                    }
                    Some(now) => format!("`{path}`: `{}`", short(now, LONGEST)),
                    None => format!("without `{path}`"),
                };
                Outcome::Written(changes.iter().map(change).collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn said(&self) -> String {
        match self {
            Outcome::Refused(why) => format!("refused: {why}"),
            Outcome::LeftOut => "left out".to_owned(),
            Outcome::Passed => "passed".to_owned(),
            Outcome::Written(what) => what.clone(),
        }
    }
}

/// The outcomes of a field's values in one cell; alike ones stand together.
pub fn told(outcomes: &[(&Value, Outcome)]) -> String {
    let mut groups: Vec<(Vec<String>, &Outcome)> = Vec::new();
    for (value, outcome) in outcomes {
        let value = format!("`{}`", short(value, LONGEST_SENT));
        match groups.iter_mut().find(|(_, there)| *there == outcome) {
            Some((values, _)) => values.push(value),
            None => groups.push((vec![value], outcome)),
        }
    }
    if let [(_, outcome)] = &groups[..] {
        return outcome.said();
    }
    let told = groups.iter().map(|(values, it)| format!("{} → {}", values.join(" "), it.said()));
    told.collect::<Vec<_>>().join("; ")
}

fn short(json: &Value, longest: usize) -> String {
    let text = json.to_string();
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The deepest places that differ, each with what stands there now.
fn differ(
    path: String,
    without: Option<&Value>,
    with: Option<&Value>,
    changes: &mut Vec<(String, Option<Value>)>,
) {
    match (without, with) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let gone = old.keys().filter(|name| !new.contains_key(*name));
            for name in new.keys().chain(gone) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                differ(path, old.get(name), new.get(name), changes);
            }
        }
        _ if without == with => {}
        _ => changes.push((path, with.cloned())),
    }
}
