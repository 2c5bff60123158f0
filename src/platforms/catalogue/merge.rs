//! Laying the operator's part of a platform over the built-in one.

use toml::{Table, Value};

/// What belongs to a face, and may stand at the platform's top for short.
const FACE_KEYS: [&str; 10] = [
    "base_url",
    "credential",
    "headers",
    "request",
    "login",
    "answer",
    "errors",
    "limits",
    "own_codes",
    "param_names",
];

/// Moves what stands at the top for short into the face that it means: the one that
/// `dialect` names, else the platform's usual one.
pub(super) fn spell_out(table: &mut Table, usual_face: &str) {
    let named = table.remove("dialect");
    let short: Vec<(String, Value)> =
        FACE_KEYS.iter().filter_map(|key| Some(((*key).to_owned(), table.remove(*key)?))).collect();
    let face = match named {
        // Not a text: left where it is, so that reading it says so.
        Some(other) if !other.is_str() => {
            table.insert("dialect".to_owned(), other);
            return;
        }
        Some(dialect) => dialect.as_str().unwrap_or(usual_face).to_owned(),
        None if short.is_empty() => return,
        None => usual_face.to_owned(),
    };
    let faces = table.entry("faces").or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(faces) = faces
        && let Value::Table(face) = faces.entry(face).or_insert_with(|| Value::Table(Table::new()))
    {
        face.extend(short);
    }
}

/// Lays `over` on `base`: tables key by key, lists of named tables name by name,
/// everything else as a whole.
pub(super) fn lay(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Table(base), Value::Table(over)) => {
            for (key, value) in over {
                match base.get_mut(&key) {
                    Some(there) => lay(there, value),
                    None => {
                        base.insert(key, value);
                    }
                }
            }
        }
        (Value::Array(base), Value::Array(over)) if are_named(base) && are_named(&over) => {
            for value in over {
                match base.iter_mut().find(|there| name(there) == name(&value)) {
                    Some(there) => lay(there, value),
                    None => base.push(value),
                }
            }
        }
        (base, over) => *base = over,
    }
}

fn name(value: &Value) -> Option<&str> {
    value.get("name")?.as_str()
}

fn are_named(values: &[Value]) -> bool {
    values.iter().all(|value| name(value).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn the_short_form_means_one_face() {
        let mut short = table("dialect = 'openai_chat'\nbase_url = 'https://x/v1'\nname = 'X'");
        spell_out(&mut short, "dashscope");
        assert_eq!(short, table("name = 'X'\n[faces.openai_chat]\nbase_url = 'https://x/v1'"));
        let mut alone = table("base_url = 'http://127.0.0.1:9/v1'");
        spell_out(&mut alone, "dashscope");
        assert_eq!(alone, table("[faces.dashscope]\nbase_url = 'http://127.0.0.1:9/v1'"));
    }

    #[test]
    fn models_are_laid_over_by_name() {
        let mut base = Value::Table(table(
            "a = 1\nmodels = [{ name = 'x', context = 1, max_output = 2 }]\nlist = [1]",
        ));
        let over = table(
            "models = [{ name = 'x', context = 9 }, { name = 'y' }]\nlist = [2]\nb = { c = 1 }",
        );
        lay(&mut base, Value::Table(over));
        let wanted = table(
            "a = 1\nmodels = [{ name = 'x', context = 9, max_output = 2 }, { name = 'y' }]
             list = [2]\nb = { c = 1 }",
        );
        assert_eq!(base, Value::Table(wanted));
    }
}
