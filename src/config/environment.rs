//! The environment, read here and nowhere else.
//!
//! | variable | is |
//! | --- | --- |
//! | `TRIBUTARY_SECTION__KEY` | overrides a key of the file; `__` goes one table deeper |
//! | `TRIBUTARY_MASTER_KEYS` | the key ring, or `command:` and a program that prints it |
//! | `TRIBUTARY_MASTER_KEYS_FILE` | a file that holds the key ring |
//! | what `[points] keys` names | a key of the operator's own |
//! | what `[notices]` names | the secret of a webhook, the password of a mail server |
//! | what `[oidc]` names | the client's secret at an OpenID provider |
//! | `RUST_LOG` | `[log] filter`, where that is not set by its own variable |
//! | `XDG_CONFIG_HOME`, `HOME` | where `demo` and `--dev` keep a key ring of their own |
//!
//! A variable that is empty counts as not set.

use std::collections::BTreeMap;
use std::path::PathBuf;

use zeroize::Zeroizing;

const PREFIX: &str = "TRIBUTARY_";
pub(super) const MASTER_KEYS: &str = "TRIBUTARY_MASTER_KEYS";
pub(super) const MASTER_KEYS_FILE: &str = "TRIBUTARY_MASTER_KEYS_FILE";

/// The variables that concern this program.
#[derive(Default)]
pub struct Environment {
    /// Everything that begins with `TRIBUTARY_`, but for the key ring.
    pub(super) ours: BTreeMap<String, String>,
    /// Everything else: what the configuration may name.
    theirs: BTreeMap<String, Zeroizing<String>>,
    pub(super) rust_log: Option<String>,
    pub(super) master_keys: Option<Zeroizing<String>>,
    pub(super) master_keys_file: Option<PathBuf>,
    /// The user's folder for configuration.
    pub(super) config_home: Option<PathBuf>,
}

impl Environment {
    /// The process's own. Variables that are not Unicode are passed over.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os();
        Self::of(variables.filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }))
    }

    /// These variables.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut environment = Self::default();
        let mut home = None;
        for (name, value) in variables.into_iter().filter(|(_, value)| !value.is_empty()) {
            match name.as_str() {
                MASTER_KEYS => environment.master_keys = Some(Zeroizing::new(value)),
                MASTER_KEYS_FILE => environment.master_keys_file = Some(value.into()),
                "RUST_LOG" => environment.rust_log = Some(value),
                "XDG_CONFIG_HOME" => environment.config_home = Some(value.into()),
                "HOME" => home = Some(PathBuf::from(value).join(".config")),
                ours if ours.starts_with(PREFIX) => {
                    environment.ours.insert(name, value);
                }
                _ => {
                    environment.theirs.insert(name, Zeroizing::new(value));
                }
            }
        }
        // A relative folder is invalid by the XDG specification.
        environment.config_home =
            environment.config_home.filter(|folder| folder.is_absolute()).or(home);
        environment
    }

    /// What overrides keys: each variable's name, its path in lower case, its value.
    pub(super) fn overrides(&self) -> impl Iterator<Item = (&str, Vec<String>, &str)> {
        self.ours.iter().filter_map(|(name, value)| {
            let path = name.strip_prefix(PREFIX)?;
            let path: Vec<_> = path.split("__").map(str::to_ascii_lowercase).collect();
            (path.len() > 1).then_some((name.as_str(), path, value.as_str()))
        })
    }

    /// A secret in the variable that the configuration names.
    pub(super) fn secret(&self, name: &str) -> Option<Zeroizing<String>> {
        let ours = || self.ours.get(name).map(|value| Zeroizing::new(value.clone()));
        self.theirs.get(name).cloned().or_else(ours)
    }

    /// Variables with our prefix that override nothing. Most are none of ours: an
    /// orchestrator sets `TRIBUTARY_PORT` for a service of that name.
    pub(super) fn others(&self) -> impl Iterator<Item = &str> {
        self.ours.keys().map(String::as_str).filter(|name| !name[PREFIX.len()..].contains("__"))
    }
}
