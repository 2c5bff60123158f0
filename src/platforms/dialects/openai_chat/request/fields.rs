//! Rules for single fields.

use std::borrow::Cow;

use serde_json::Number;

use super::{Draft, set_all};
use crate::front::object::{elements, read_text};
use crate::platforms::rules::{FieldRule, NumberBound};

/// Brings single fields into the platform's range and form.
pub(super) fn put_right(draft: &mut Draft<'_>) {
    let rows: Vec<_> = rows(draft).collect();
    for (name, rule) in rows {
        let Some(json) = draft.fields.get(name) else { continue };
        if json == "null" {
            draft.fields.remove(name);
            continue;
        }
        if let (Some(when_zero), Some(..=0.0)) = (&rule.when_zero, number(json)) {
            draft.fields.remove(name);
            for name in &when_zero.drop {
                draft.fields.remove(name);
            }
            set_all(&mut draft.fields, &when_zero.set);
            continue;
        }
        match changed(json, rule, draft.model.max_output) {
            Change::None if rule.rename.is_none() => {}
            Change::Drop => {
                draft.fields.remove(name);
            }
            change => {
                let json = match change {
                    Change::To(json) => json,
                    _ => json.to_owned(),
                };
                let target = rule.rename.as_deref().unwrap_or(name);
                if target != name {
                    draft.fields.remove(name);
                }
                draft.fields.set(target.to_owned(), json);
            }
        }
    }
}

/// The face's rows, the model's own before them.
fn rows<'a>(draft: &Draft<'a>) -> impl Iterator<Item = (&'a str, &'a FieldRule)> + use<'a> {
    let (rules, traits) = (draft.rules, draft.traits);
    let face = rules.fields.iter().filter(|(name, _)| !traits.fields.contains_key(*name));
    // Renames first: `max_tokens` is then clamped wherever it came from.
    let mut rows: Vec<_> = face.chain(&traits.fields).collect();
    rows.sort_by_key(|(_, rule)| rule.rename.is_none());
    rows.into_iter().map(|(name, rule)| (name.as_str(), rule))
}

enum Change {
    None,
    Drop,
    To(String),
}

fn changed(json: &str, rule: &FieldRule, max_output: Option<u64>) -> Change {
    let json = json.trim();
    let mut now = Cow::Borrowed(json);
    if let Some(value) = number(json) {
        if let Some(bound) = rule.min.as_ref().and_then(|bound| bound_of(bound, max_output))
            && bound.as_f64().is_some_and(|bound| value < bound)
        {
            now = Cow::Owned(bound.to_string());
        }
        if let Some(bound) = rule.max.as_ref().and_then(|bound| bound_of(bound, max_output))
            && bound.as_f64().is_some_and(|bound| value > bound)
        {
            now = Cow::Owned(bound.to_string());
        }
        if let Some(rounded) = rule.round.and_then(|decimals| rounded(&now, decimals)) {
            now = Cow::Owned(rounded);
        }
        if let (Some(mask), Ok(bits)) = (rule.mask, json.parse::<i64>()) {
            now = Cow::Owned((bits.cast_unsigned() & mask).to_string());
        }
    }
    if rule.list && !json.starts_with('[') {
        now = Cow::Owned(format!("[{json}]"));
    }
    if let Some(first) = rule.first
        && let Ok(entries) = elements(&now)
        && entries.len() > first
    {
        now = Cow::Owned(format!("[{}]", entries[..first].join(",")));
    }
    if let Some((least, most)) = rule.length {
        let length = read_text(json).map(|text| text.chars().count());
        if length.is_none_or(|length| !(least..=most).contains(&length)) {
            return Change::Drop;
        }
    }
    match now {
        Cow::Owned(now) if now != json => Change::To(now),
        _ => Change::None,
    }
}

/// The number rounded to these decimals, where that changes it.
fn rounded(json: &str, decimals: u32) -> Option<String> {
    let value = number(json)?;
    let scale = 10f64.powi(i32::try_from(decimals).ok()?);
    let rounded = (value * scale).round() / scale;
    (rounded.is_finite() && (rounded - value).abs() > f64::EPSILON)
        .then(|| Number::from_f64(rounded).map(|number| number.to_string()))
        .flatten()
}

fn bound_of(bound: &NumberBound, max_output: Option<u64>) -> Option<Number> {
    match bound {
        NumberBound::Number(number) => Some(number.clone()),
        NumberBound::Model(_) => max_output.map(Number::from),
    }
}

/// A JSON number's value; nothing for other JSON.
fn number(json: &str) -> Option<f64> {
    serde_json::from_str(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(json: &str, rule: &str) -> String {
        let rule: FieldRule = toml::from_str(rule).unwrap();
        match changed(json, &rule, Some(100)) {
            Change::None => json.to_owned(),
            Change::Drop => "dropped".to_owned(),
            Change::To(json) => json,
        }
    }

    #[test]
    fn every_rule_does_its_one_thing() {
        for (rule, json, now) in [
            ("min = 0.01", "0", "0.01"),
            ("max = 1.0", "1.6", "1.0"),
            ("max = 1.0", "0.50", "0.50"),
            ("max = 'max_output'", "101", "100"),
            ("max = 'max_output'", "\"x\"", "\"x\""),
            ("max = 1.0\nround = 2", "0.666", "0.67"),
            ("round = 2", "0.30", "0.30"),
            ("mask = 0x7fffffff", "-1", "2147483647"),
            ("mask = 0x7fffffff", "42", "42"),
            ("list = true", "\"a\"", "[\"a\"]"),
            ("list = true\nfirst = 1", "[\"a\", \"b\"]", "[\"a\"]"),
            ("list = true\nfirst = 1", "\"a\"", "[\"a\"]"),
            ("length = [2, 3]", "\"ab\"", "\"ab\""),
            ("length = [2, 3]", "\"你\"", "dropped"),
            ("length = [2, 3]", "7", "dropped"),
        ] {
            assert_eq!(change(json, rule), now, "{rule} on {json}");
        }
    }
}
