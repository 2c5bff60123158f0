//! The operator's own keys: where `[points] keys` says they are, read.

use std::borrow::Cow;

use super::environment::Environment;
use super::{Config, Mistake, Mistakes, Settings, Where, secret_file};
use crate::platforms::{Catalogue, Credential, DialectName, Face};
use crate::relay::{KeySettings, OperatorKey};

/// Reads the operator's keys.
///
/// # Errors
/// Every key that can't be read or used. None of the texts holds a part of a key.
pub fn operator_keys(
    config: &Config,
    environment: &Environment,
) -> Result<Vec<OperatorKey>, Mistakes> {
    let (mut keys, mut mistakes) = (Vec::new(), Vec::new());
    for key in &config.settings.points.keys {
        match read(key, &config.catalogue, environment) {
            Ok(key) => keys.push(key),
            Err(wrong) => mistakes.extend(wrong.0),
        }
    }
    if mistakes.is_empty() { Ok(keys) } else { Err(Mistakes(mistakes)) }
}

/// What is wrong with the places of keys, by the key's number: nothing is read.
pub(super) fn misplaced(
    settings: &Settings,
    catalogue: &Catalogue,
) -> Vec<(usize, String, String)> {
    let keys = settings.points.keys.iter().enumerate();
    keys.filter_map(|(number, key)| {
        let (what, fix) = wrong_with(key, catalogue)?;
        Some((number, what, fix))
    })
    .collect()
}

fn wrong_with(key: &KeySettings, catalogue: &Catalogue) -> Option<(String, String)> {
    if (key.file.is_some()) == (key.variable.is_some()) {
        let what = "names a file and a variable, or neither".to_owned();
        return Some((what, "write one of `file` and `variable`".to_owned()));
    }
    if key.variable.as_deref().is_some_and(|name| !is_variable(name)) {
        // Not repeated: it may be the key itself.
        let what = "names no environment variable".to_owned();
        return Some((what, "write its name, of A-Z, 0-9 and _; never the key".to_owned()));
    }
    if face(key, catalogue).is_none() {
        let known: Vec<_> = catalogue.platforms().map(|known| known.id.as_str()).collect();
        let what = format!("there is no platform `{}` with that dialect", key.platform);
        return Some((what, format!("known are: {}", known.join(", "))));
    }
    None
}

pub(super) fn is_variable(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !name.is_empty() && name.bytes().all(fits)
}

fn face<'a>(key: &KeySettings, catalogue: &'a Catalogue) -> Option<&'a Face> {
    let dialect = match &key.dialect {
        Some(name) => Some(DialectName::named(name)?),
        None => None,
    };
    catalogue.platform(&key.platform)?.face(dialect).map(AsRef::as_ref)
}

fn read(
    key: &KeySettings,
    catalogue: &Catalogue,
    environment: &Environment,
) -> Result<OperatorKey, Mistakes> {
    let at = match (&key.file, &key.variable) {
        (Some(file), _) => Where::File { file: file.clone(), line: None },
        (None, variable) => Where::Variable { variable: variable.clone().unwrap_or_default() },
    };
    let wrong = |what: String, fix: Cow<'_, str>| -> Mistakes {
        Mistake { at: at.clone(), key: String::new(), what, fix: fix.into_owned() }.into()
    };
    let text = match (&key.file, &key.variable) {
        (Some(file), _) => secret_file::read(file, "the operator's key")?,
        (None, name) => {
            let set = name.as_deref().and_then(|name| environment.secret(name));
            set.ok_or_else(|| wrong("is not set".into(), "set it to the operator's key".into()))?
        }
    };
    let face = face(key, catalogue)
        .ok_or_else(|| wrong("is for no known platform".into(), "see [points] keys".into()))?;
    let credential = Credential::parse(face, &text).map_err(|error| {
        wrong(
            format!("holds no key of {}: {error}", key.platform),
            face.credential.help.as_str().into(),
        )
    })?;
    Ok(OperatorKey { platform: key.platform.clone(), dialect: key.dialect.clone(), credential })
}
