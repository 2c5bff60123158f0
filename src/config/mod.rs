//! `gateway.toml` and the environment, read into the settings that each room defines.
//!
//! Promises:
//! - Every mistake is told, each with its line or variable, its key and what to do.
//! - A key that nobody knows is a mistake, never ignored.
//! - Secrets come from the environment or a file that it names, and from nowhere else.
//! - Relative paths in a file are relative to that file; in a variable, to the working
//!   folder.
//!
//! | file | idea |
//! | --- | --- |
//! | `settings`, `sections` | what can be set, and each room's part of it |
//! | `environment` | the only reader of the environment |
//! | `lines`, `layers` | where each key stands; the file with the environment laid over it |
//! | `check`, `bounds`, `mistake`, `suggest` | what is wrong, told so that it can be put right |
//! | `keys`, `ring_command`, `operator_keys`, `secret_file` | the sources of the key ring and of the operator's own keys |
//! | `notices` | where notices are sent, with the secrets for that |
//! | `oidc` | the OpenID provider, with the client's secret |

mod bounds;
mod check;
mod environment;
mod keys;
mod layers;
mod lines;
mod mistake;
mod notices;
mod oidc;
mod operator_keys;
mod paths;
mod ring_command;
mod secret_file;
mod sections;
mod settings;
mod suggest;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::platforms::Catalogue;

pub use environment::Environment;
pub use keys::{OwnRing, key_ring};
pub use mistake::{Mistake, Mistakes, Where};
pub use notices::notice_senders;
pub use oidc::oidc_registration;
pub use operator_keys::operator_keys;
pub use settings::Settings;

/// The file that is read when none is named and the working folder has it.
pub const DEFAULT_FILE: &str = "gateway.toml";

/// A configuration without a mistake.
#[derive(Debug)]
pub struct Config {
    /// What each room reads.
    pub settings: Settings,
    /// The platforms, the operator's changes among them.
    pub catalogue: Arc<Catalogue>,
    /// The file that it came from, if it came from one.
    pub file: Option<PathBuf>,
}

impl Config {
    /// Reads a file, if there is one, and lays the environment over it.
    ///
    /// # Errors
    /// Every mistake, in the file's order, then the environment's.
    pub fn load(file: Option<&Path>, environment: &Environment) -> Result<Self, Mistakes> {
        let text = file.map(|file| Ok::<_, Mistake>((file, read(file)?))).transpose()?;
        let text = text.as_ref().map(|(file, text)| (*file, text.as_str()));
        let (layers, mut mistakes) = layers::read(text, environment);
        let checked = check::check(&layers, &mut mistakes);
        match checked {
            Some((settings, catalogue)) if mistakes.is_empty() => {
                let catalogue = Arc::new(catalogue);
                Ok(Self { settings, catalogue, file: file.map(Path::to_owned) })
            }
            _ => Err(Mistakes::sorted(mistakes)),
        }
    }
}

fn read(file: &Path) -> Result<String, Mistake> {
    std::fs::read_to_string(file).map_err(|error| Mistake {
        at: Where::File { file: file.to_owned(), line: None },
        key: String::new(),
        what: format!("can't be read: {error}"),
        fix: "name another with --config FILE".to_owned(),
    })
}

#[cfg(test)]
mod example;
#[cfg(test)]
mod tests;
