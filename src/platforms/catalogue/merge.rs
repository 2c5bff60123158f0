//! Laying the operator's part of a platform over the built-in one.

use toml::{Table, Value};

/// What belongs to a face, and may stand at the platform's top for short.
const FACE_KEYS: [&str; 12] = [
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
    "paths",
    "like",
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

/// Where `over` sets the address of a face, models of `base` with a host of their own there move
/// to it: whoever stands in for a platform does so for all of it.
pub(super) fn move_models(base: &mut Value, over: &Table) {
    let faces = over.get("faces").and_then(Value::as_table).into_iter().flatten();
    let moved: Vec<&String> =
        faces.filter(|(_, face)| face.get("base_url").is_some()).map(|(name, _)| name).collect();
    let models = base.get_mut("models").and_then(Value::as_array_mut);
    for model in models.into_iter().flatten() {
        let Some(faces) = model.get_mut("faces").and_then(Value::as_table_mut) else { continue };
        for name in &moved {
            if let Some(face) = faces.get_mut(*name).and_then(Value::as_table_mut) {
                face.remove("base_url");
            }
        }
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

/// Fills in what a face leaves open from the face of its platform that it is `like`, and what
/// its `login` does from its `request`.
///
/// # Errors
/// The face, and what is wrong with its `like`.
pub(super) fn fill_in(platform: &mut Value) -> Result<(), (String, String)> {
    let faces = platform.get_mut("faces").and_then(Value::as_table_mut);
    let Some(faces) = faces else { return Ok(()) };
    let written = faces.clone();
    for (name, face) in faces.iter_mut() {
        let Some(like) = face.as_table_mut().and_then(|face| face.remove("like")) else { continue };
        let other = like.as_str().and_then(|like| written.get(like));
        let Some(mut filled) = other.filter(|other| other.get("like").is_none()).cloned() else {
            return Err((name.clone(), format!("no face that it can be like is named {like}")));
        };
        lay(&mut filled, face.clone());
        *face = filled;
    }
    for face in faces.iter_mut().filter_map(|(_, face)| face.as_table_mut()) {
        let Some(login) = face.get("login").cloned() else { continue };
        let mut filled = face.get("request").cloned().unwrap_or_else(|| Table::new().into());
        lay(&mut filled, login);
        face.insert("login".to_owned(), filled);
    }
    Ok(())
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
    fn a_face_has_what_it_leaves_open_from_the_one_that_it_is_like() {
        let faces = |second: &str| {
            Value::Table(table(&format!(
                "[faces.a]\nbase_url = 'x'\nrequest = {{ drop = ['u'], fields = {{ n = 1 }} }}\n\
                 [faces.b]\nbase_url = 'y'\n{second}"
            )))
        };
        let mut both = faces("like = 'a'\nrequest = { fields = { m = 2 } }");
        fill_in(&mut both).unwrap();
        assert_eq!(both, faces("request = { drop = ['u'], fields = { n = 1, m = 2 } }"));
        for wrong in ["like = 'b'", "like = 'c'", "like = 7"] {
            assert_eq!(fill_in(&mut faces(wrong)).unwrap_err().0, "b", "{wrong}");
        }
    }

    #[test]
    fn a_login_is_what_it_says_over_the_faces_request() {
        let mut platform = Value::Table(table(
            "[faces.a]\nrequest = { legacy = 'as_tools', drop = ['x'] }\nlogin = { drop = ['y'] }
             [faces.b]\nlogin = { drop = ['z'] }\n[faces.c]\nrequest = {}",
        ));
        fill_in(&mut platform).unwrap();
        let faces = &platform["faces"];
        let login = table("legacy = 'as_tools'\ndrop = ['y']");
        assert_eq!(faces["a"]["login"], Value::Table(login));
        assert_eq!(faces["b"]["login"], Value::Table(table("drop = ['z']")));
        assert_eq!(faces["c"].get("login"), None);
    }

    #[test]
    fn models_move_with_the_face_whose_address_is_set() {
        let models = |a: &str, b: &str| {
            table(&format!(
                "models = [{{ name = 'm', faces = {{ a = {{ {a} }}, b = {{ {b} }} }} }}]"
            ))
        };
        let (a, b) = ("base_url = 'wss://x', path = 'p'", "base_url = 'wss://y'");
        let mut base = Value::Table(models(a, b));
        move_models(
            &mut base,
            &table("faces = { a = { base_url = 'ws://z' }, b = { like = 'a' } }"),
        );
        assert_eq!(base, Value::Table(models("path = 'p'", b)));
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
