//! Strings for a schema: by format, by pattern, by the property's name.

use serde_json::{Map, Value};

use super::hints::{Hints, short};
use super::pattern;

/// A string that the schema accepts.
pub(super) fn text(rules: &Map<String, Value>, name: &str, hints: &Hints<'_>) -> String {
    if let Some(pattern) = rules.get("pattern").and_then(Value::as_str) {
        let subject = hints.subject();
        return pattern::sample(pattern).unwrap_or(subject);
    }
    let made = match rules.get("format").and_then(Value::as_str) {
        Some(format) => formatted(format).map(str::to_owned),
        None => None,
    };
    fit(made.unwrap_or_else(|| named(name, hints)), rules)
}

/// Whether a list of these may simply list the question's subjects.
pub(super) fn is_plain_text(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("string")
        && ["enum", "const", "format", "pattern"].iter().all(|key| schema.get(key).is_none())
}

/// Keys that instructions for a JSON answer name: `"city"`, `keys: a, b`, 键为 city.
pub(super) fn keys_named_in(instructions: &str) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    let mut add = |word: &str| {
        let well_formed = (1..=40).contains(&word.len())
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if well_formed && !keys.iter().any(|key| key == word) && keys.len() < 16 {
            keys.push(word.to_owned());
        }
    };
    for marker in ["键为", "键是", "字段为", "字段", "keys ", "keys: ", "key ", "fields "]
    {
        let Some((_, after)) = instructions.split_once(marker) else { continue };
        let end = after.find(['。', '.', '\n', '，', ';']).unwrap_or(after.len());
        for word in after[..end].split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            if !matches!(word, "and" | "the" | "named" | "with" | "is" | "are" | "of") {
                add(word);
            }
        }
        return keys;
    }
    for quoted in instructions.split(['"', '`', '\'']).skip(1).step_by(2) {
        add(quoted);
    }
    keys
}

fn formatted(format: &str) -> Option<&'static str> {
    Some(match format {
        "date-time" => "2026-09-21T14:13:20Z",
        "date" => "2026-09-21",
        "time" => "14:13:20Z",
        "duration" => "PT1H",
        "email" | "idn-email" => "someone@example.com",
        "hostname" | "idn-hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uuid" => "3f2b8c1e-5a60-4d7b-9c1d-2e4f6a8b0c1d",
        "uri" | "url" | "iri" | "uri-reference" => "https://example.com/",
        "byte" => "aGVsbG8=",
        _ => return None,
    })
}

/// A string by what the property is called.
fn named(name: &str, hints: &Hints<'_>) -> String {
    let name = name.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["tz", "timezone", "time_zone"]) {
        return "Asia/Shanghai".to_owned();
    }
    if has(&["query", "question", "text", "prompt", "message", "content", "sentence"]) {
        return short(hints.text, 400);
    }
    if has(&["expression", "formula", "equation"]) {
        return expression(hints.text);
    }
    if has(&["date", "day", "when"]) {
        return day(hints.text).unwrap_or_else(|| "2026-09-21".to_owned());
    }
    if has(&["explanation", "reason", "description", "summary", "output", "answer"]) {
        return short(hints.text, 80);
    }
    hints.subject()
}

/// The part of the question that is arithmetic.
fn expression(text: &str) -> String {
    let part = |c: char| c.is_ascii_digit() || "+-*/×÷^().% ".contains(c);
    let longest = text
        .split(|c: char| !part(c))
        .filter(|run| run.contains(|c: char| c.is_ascii_digit()))
        .max_by_key(|run| run.len());
    longest.map_or_else(|| short(text, 80), |run| run.trim().trim_end_matches('.').to_owned())
}

/// A day that the question names.
fn day(text: &str) -> Option<String> {
    const DAYS: &[&str] = &[
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
        "today",
        "tomorrow",
        "yesterday",
        "今天",
        "明天",
        "后天",
        "昨天",
        "周末",
    ];
    if let Some(day) = DAYS.iter().find(|day| text.contains(**day)) {
        return Some((*day).to_owned());
    }
    let date = |word: &&str| {
        word.len() == 10 && word.bytes().filter(|b| *b == b'-').count() == 2 && word.is_ascii()
    };
    text.split(|c: char| !(c.is_ascii_digit() || c == '-')).find(date).map(str::to_owned)
}

/// Cuts or pads to `minLength` and `maxLength`, which count characters.
fn fit(mut text: String, rules: &Map<String, Value>) -> String {
    let bound = |key: &str| rules.get(key).and_then(Value::as_u64).map(|n| n as usize);
    if let Some(most) = bound("maxLength")
        && text.chars().count() > most
    {
        text = text.chars().take(most).collect();
    }
    let least = bound("minLength").unwrap_or(0);
    for _ in text.chars().count()..least {
        text.push('x');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn make(name: &str, rules: &Value, question: &str) -> String {
        text(rules.as_object().expect("an object"), name, &Hints::of(question))
    }

    #[test]
    fn strings_follow_name_format_and_length() {
        assert_eq!(make("city", &json!({}), "Weather in Rome?"), "Rome");
        assert_eq!(make("query", &json!({}), "who wrote it?"), "who wrote it?");
        assert_eq!(make("at", &json!({"format": "date"}), "soon"), "2026-09-21");
        assert_eq!(make("expression", &json!({}), "计算 17*3+9 等于多少"), "17*3+9");
        assert_eq!(make("id", &json!({"minLength": 5}), "abc").chars().count(), 5);
        assert_eq!(make("code", &json!({"pattern": "^[A-Z]{3}-\\d+$"}), "x"), "AAA-0");
    }

    #[test]
    fn keys_are_found_in_instructions() {
        assert_eq!(keys_named_in("只输出 JSON，键为 city。"), ["city"]);
        assert_eq!(keys_named_in("Answer as JSON with keys name and age."), ["name", "age"]);
        assert_eq!(keys_named_in("JSON like {\"title\": …, \"year\": …}"), ["title", "year"]);
    }
}
