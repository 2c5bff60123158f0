//! Instances of JSON schemas: arguments for a tool, or a structured answer.
//!
//! Covers what pydantic and zod write: `$ref` with `$defs` or `definitions`,
//! `anyOf`/`oneOf`/`allOf`, `enum`, `const`, lists of types, tuples, nested and
//! recursive objects, bounds, formats and plain patterns. Deterministic: the
//! same schema and question give the same instance.

use serde_json::{Map, Number, Value};

use super::hints::{Hints, short};
use super::words;

/// Below this depth the smallest instance is taken, so that recursive schemas end.
const DEEP: usize = 6;

/// Most values of one instance: schemas whose instances would have no end get nulls.
const MOST: usize = 20_000;

/// A value that `schema` accepts, filled from the question where it can be.
pub(super) fn instance(schema: &Value, hints: &Hints<'_>) -> Value {
    Maker { root: schema, hints, numbers_used: 0, made: 0 }.value(schema, "", 0)
}

struct Maker<'a> {
    root: &'a Value,
    hints: &'a Hints<'a>,
    numbers_used: usize,
    made: usize,
}

impl<'a> Maker<'a> {
    fn value(&mut self, schema: &'a Value, name: &str, depth: usize) -> Value {
        let Some(rules) = schema.as_object() else {
            return Value::String(self.hints.subject());
        };
        self.made += 1;
        if self.made > MOST {
            return Value::Null;
        }
        if let Some(target) = rules.get("$ref").and_then(Value::as_str) {
            if depth > DEEP * 4 {
                return Value::Null;
            }
            return match self.resolve(target) {
                Some(target) => self.value(target, name, depth + 1),
                None => Value::Null,
            };
        }
        if let Some(constant) = rules.get("const") {
            return constant.clone();
        }
        if let Some(Value::Array(options)) = rules.get("enum") {
            return self.option(options);
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(Value::Array(options)) = rules.get(key) {
                return self.alternative(options, name, depth);
            }
        }
        if let Some(Value::Array(parts)) = rules.get("allOf") {
            return self.all_of(rules, parts, name, depth);
        }
        match kind(rules) {
            "object" => self.object(rules, depth),
            "array" => self.array(rules, name, depth),
            "integer" => self.number(rules, true),
            "number" => self.number(rules, false),
            "boolean" => Value::Bool(true),
            "null" => Value::Null,
            _ => Value::String(words::text(rules, name, self.hints)),
        }
    }

    /// `#`, `#/$defs/Name`, any JSON pointer into the schema.
    fn resolve(&self, target: &str) -> Option<&'a Value> {
        let pointer = target.strip_prefix('#')?;
        self.root.pointer(pointer)
    }

    /// The option that the question names, else the first that is not null.
    fn option(&self, options: &[Value]) -> Value {
        let text = self.hints.text.to_lowercase();
        let named = options.iter().find(|option| match option {
            Value::String(word) => !word.is_empty() && text.contains(&word.to_lowercase()),
            _ => false,
        });
        let first = || options.iter().find(|option| !option.is_null());
        named.or_else(first).cloned().unwrap_or(Value::Null)
    }

    fn alternative(&mut self, options: &'a [Value], name: &str, depth: usize) -> Value {
        let is_null = |option: &&Value| option.get("type").and_then(Value::as_str) == Some("null");
        if depth >= DEEP && options.iter().any(|option| is_null(&option)) {
            return Value::Null;
        }
        let shallow = |option: &&Value| !is_null(option) && option.get("$ref").is_none();
        let first = if depth >= DEEP { options.iter().find(shallow) } else { None };
        let first = first.or_else(|| options.iter().find(|option| !is_null(option)));
        first.map_or(Value::Null, |option| self.value(option, name, depth + 1))
    }

    /// Objects are made part by part and merged; of other kinds the first part counts.
    fn all_of(
        &mut self,
        rules: &'a Map<String, Value>,
        parts: &'a [Value],
        name: &str,
        depth: usize,
    ) -> Value {
        let mut merged = Map::new();
        if rules.contains_key("properties")
            && let Value::Object(own) = self.object(rules, depth)
        {
            merged.extend(own);
        }
        let mut other = None;
        for part in parts {
            match self.value(part, name, depth + 1) {
                Value::Object(part) => merged.extend(part),
                value => other = other.or(Some(value)),
            }
        }
        match other {
            Some(value) if merged.is_empty() => value,
            _ => Value::Object(merged),
        }
    }

    fn object(&mut self, rules: &'a Map<String, Value>, depth: usize) -> Value {
        let mut made = Map::new();
        let required: Vec<&str> = rules
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let properties = rules.get("properties").and_then(Value::as_object);
        let all = required.is_empty() && depth < 2;
        for (name, schema) in properties.into_iter().flatten() {
            if all || required.contains(&name.as_str()) {
                let value = self.value(schema, name, depth + 1);
                made.insert(name.clone(), value);
            }
        }
        for name in required {
            if !made.contains_key(name) {
                made.insert(name.to_owned(), Value::String(self.hints.subject()));
            }
        }
        let wanted = size(rules, "minProperties").max(usize::from(properties.is_none()));
        match rules.get("additionalProperties") {
            Some(schema @ Value::Object(_)) if made.len() < wanted && depth < DEEP => {
                for n in made.len()..wanted {
                    let name = self.hints.about(n).subject();
                    let value = self.value(schema, &name, depth + 1);
                    made.insert(name, value);
                }
            }
            _ => {}
        }
        Value::Object(made)
    }

    fn array(&mut self, rules: &'a Map<String, Value>, name: &str, depth: usize) -> Value {
        let mut made = Vec::new();
        for schema in rules.get("prefixItems").and_then(Value::as_array).into_iter().flatten() {
            made.push(self.value(schema, name, depth + 1));
        }
        let least = size(rules, "minItems");
        let most = rules.get("maxItems").and_then(Value::as_u64).map_or(usize::MAX, |n| n as usize);
        let Some(items) = rules.get("items").filter(|items| **items != Value::Bool(false)) else {
            while made.len() < least.min(most) {
                made.push(Value::String(self.hints.about(made.len()).subject()));
            }
            return Value::Array(made);
        };
        let items = items.as_array().and_then(|tuple| tuple.first()).unwrap_or(items);
        let mut wanted = if depth >= DEEP { least } else { least.max(1) };
        if words::is_plain_text(items) {
            wanted = wanted.max(self.hints.subjects.len().min(8));
        }
        let options = items.get("enum").and_then(Value::as_array);
        for n in made.len()..wanted.min(most) {
            let distinct = options.and_then(|options| options.get(n)).filter(|_| n > 0);
            let value = match distinct {
                Some(option) => option.clone(),
                None => {
                    let hints = self.hints.about(n);
                    let mut maker = Maker { hints: &hints, ..*self };
                    let value = maker.value(items, name, depth + 1);
                    (self.numbers_used, self.made) = (maker.numbers_used, maker.made);
                    value
                }
            };
            made.push(value);
        }
        Value::Array(made)
    }

    /// The question's next number if it fits, else the least that does.
    fn number(&mut self, rules: &Map<String, Value>, whole: bool) -> Value {
        let bound = |key: &str| rules.get(key).and_then(Value::as_f64);
        let step = bound("multipleOf").filter(|step| *step > 0.0);
        let unit = step.unwrap_or(if whole { 1.0 } else { 0.5 });
        let low = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|low| low + unit));
        let high = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|high| high - unit));
        let fits = |n: f64| {
            low.is_none_or(|low| n >= low)
                && high.is_none_or(|high| n <= high)
                && (!whole || n.fract() == 0.0)
                && step.is_none_or(|step| (n / step).fract() == 0.0)
        };
        let offered = &self.hints.numbers;
        let next = (self.numbers_used..offered.len()).find(|at| fits(offered[*at]));
        let mut n = match next {
            Some(at) => {
                self.numbers_used = at + 1;
                offered[at]
            }
            None => 1.0f64.max(low.unwrap_or(1.0)).min(high.unwrap_or(f64::MAX)),
        };
        if next.is_none() {
            if let Some(step) = step {
                n = (n / step).ceil() * step;
                n = if high.is_some_and(|high| n > high) { n - step } else { n };
            } else if whole {
                n = if n.ceil() <= high.unwrap_or(f64::MAX) { n.ceil() } else { n.floor() };
            }
        }
        if whole {
            return Value::Number(Number::from(n as i64));
        }
        Number::from_f64(n).map_or(Value::Null, Value::Number)
    }
}

/// The type that a schema asks for, guessed from its other keys if it names none.
fn kind(rules: &Map<String, Value>) -> &str {
    match rules.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            let mut kinds = kinds.iter().filter_map(Value::as_str);
            kinds.find(|kind| *kind != "null").unwrap_or("null")
        }
        _ if rules.contains_key("properties") => "object",
        _ if rules.contains_key("items") || rules.contains_key("prefixItems") => "array",
        _ => "string",
    }
}

fn size(rules: &Map<String, Value>, key: &str) -> usize {
    rules.get(key).and_then(Value::as_u64).map_or(0, |n| n as usize)
}

/// A JSON object for callers who named no schema: the keys that the text names
/// in quotes or after "keys", each with a word of the question.
pub(super) fn some_object(instructions: &str, answer: &str, hints: &Hints<'_>) -> Value {
    let mut made = Map::new();
    for key in words::keys_named_in(instructions) {
        made.insert(key.clone(), Value::String(hints.about(made.len()).subject()));
    }
    if made.is_empty() {
        made.insert("answer".to_owned(), Value::String(short(answer, 200)));
    }
    Value::Object(made)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn make(schema: &Value, question: &str) -> Value {
        instance(schema, &Hints::of(question))
    }

    #[test]
    fn a_tool_gets_the_words_of_the_question() {
        let schema = json!({"type": "object", "properties": {
            "city": {"type": "string"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            "days": {"type": "integer", "minimum": 1, "maximum": 7},
        }, "required": ["city", "unit", "days"]});
        assert_eq!(
            make(&schema, "Weather in Paris for 3 days, in Fahrenheit?"),
            json!({"city": "Paris", "unit": "fahrenheit", "days": 3})
        );
        assert_eq!(
            make(&schema, "合肥今天天气怎么样?"),
            json!({"city": "合肥", "unit": "celsius", "days": 1})
        );
    }

    #[test]
    fn what_pydantic_writes_is_obeyed() {
        let schema = json!({
            "$defs": {
                "Step": {"type": "object", "properties": {
                    "explanation": {"type": "string"}, "output": {"type": "string"}},
                    "required": ["explanation", "output"]},
                "Colour": {"enum": ["red", "green"], "type": "string"},
            },
            "type": "object",
            "properties": {
                "steps": {"type": "array", "items": {"$ref": "#/$defs/Step"}, "minItems": 2},
                "colour": {"$ref": "#/$defs/Colour"},
                "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "pair": {"type": "array", "maxItems": 2, "minItems": 2,
                    "prefixItems": [{"type": "integer"}, {"type": "boolean"}]},
                "scores": {"type": "object", "additionalProperties": {"type": "number"}},
            },
            "required": ["steps", "colour", "note", "pair", "scores"],
        });
        let made = make(&schema, "something green, 5 times");
        assert_eq!(made["steps"].as_array().map(Vec::len), Some(2));
        assert!(made["steps"][1]["output"].is_string());
        assert_eq!(made["colour"], "green");
        assert!(made["note"].is_string());
        assert_eq!(made["pair"], json!([5, true]));
        assert!(made["scores"].as_object().is_some_and(|scores| !scores.is_empty()));
    }

    #[test]
    fn recursive_schemas_end() {
        let node = json!({"$defs": {"Node": {"type": "object", "properties": {
            "value": {"type": "number"},
            "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
            "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
            "required": ["value", "next", "children"]}}, "$ref": "#/$defs/Node"});
        assert!(make(&node, "a tree").is_object());
        let whole = json!({"type": "object", "properties": {
            "ui": {"type": "array", "items": {"$ref": "#"}}}, "required": ["ui"]});
        assert!(make(&whole, "a page")["ui"].is_array());
        let endless = json!({"type": "object", "properties": {
            "a": {"$ref": "#"}, "b": {"$ref": "#"}, "c": {"$ref": "#"}},
            "required": ["a", "b", "c"]});
        assert!(make(&endless, "no instance is finite").is_object());
    }

    #[test]
    fn bounds_are_kept() {
        let n = |rules: Value| make(&rules, "no number here");
        assert_eq!(n(json!({"type": "integer", "exclusiveMinimum": 5})), json!(6));
        assert_eq!(n(json!({"type": "number", "maximum": -2})), json!(-2.0));
        assert_eq!(n(json!({"type": "integer", "multipleOf": 5, "minimum": 7})), json!(10));
        let list = json!({"type": "array", "items": {"type": "string"}, "maxItems": 1});
        assert_eq!(make(&list, "Paris and Rome"), json!(["Paris"]));
    }
}
