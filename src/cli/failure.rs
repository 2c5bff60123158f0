//! Why a command failed, and the exit code that says so.

use std::process::ExitCode;

use crate::authorize::{NoSeal, Unbound};
use crate::config::Mistakes;
use crate::store::StoreError;
use crate::vault::{OpenError, SealError};

/// A mistyped command (`EX_USAGE`).
pub(super) const USAGE: u8 = 64;
/// A wrong configuration or key ring (`EX_CONFIG`).
const CONFIG: u8 = 78;
const OTHER: u8 = 1;

/// A command's failure. Its text says what was wrong and what to do, and holds no secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The command line asks for what can't be.
    #[error("{what}\n{fix}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do.
        fix: String,
    },
    /// The configuration has mistakes.
    #[error(transparent)]
    Config(#[from] Mistakes),
    /// The command needs a key ring.
    #[error(
        "no key ring is set: it opens and seals credentials\n\
         Make one once, keep it safe, and set it wherever commands and the gateway run:\n\n    \
         export TRIBUTARY_MASTER_KEYS=$(tributary keys generate)\n\n\
         or put it into a file of mode 600 and name that by TRIBUTARY_MASTER_KEYS_FILE, or let\n\
         a program print it: TRIBUTARY_MASTER_KEYS=\"command:PROGRAM ARGUMENT…\""
    )]
    NoKeys,
    /// The ring is not the one that the store was made with.
    #[error("{what}\nSet the key ring that this store was made with. Nothing was written.")]
    WrongKeys {
        /// What does not fit.
        what: String,
    },
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Something could not be sealed.
    #[error("{0}")]
    Seal(#[from] SealError),
    /// The system gives no random bytes.
    #[error("the operating system gives no random bytes: {0}")]
    NoRandom(#[from] getrandom::Error),
    /// A file, a socket, a signal.
    #[error("{what}: {error}")]
    Io {
        /// What was used.
        what: String,
        /// How it failed.
        error: std::io::Error,
    },
    /// Anything else, in words.
    #[error("{what}\n{fix}")]
    Other {
        /// What is wrong.
        what: String,
        /// What to do.
        fix: String,
    },
    /// The command has printed what is wrong.
    #[error("")]
    Told {
        /// Because the configuration is wrong.
        config: bool,
    },
}

impl Failure {
    /// The command line asks for what can't be.
    pub(super) fn usage(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), fix: fix.into() }
    }

    /// Anything else.
    pub(super) fn other(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Other { what: what.into(), fix: fix.into() }
    }

    /// A ring that does not fit a store.
    pub(super) fn wrong_keys(error: &OpenError) -> Self {
        Self::WrongKeys { what: error.to_string() }
    }

    /// Tells it on standard error, and answers the exit code.
    pub(super) fn tell(&self, json: bool) -> ExitCode {
        let text = self.to_string();
        let text = text.trim_end();
        if json && !text.is_empty() {
            let mistakes = match self {
                Self::Config(mistakes) => Some(&mistakes.0),
                _ => None,
            };
            let error = serde_json::json!({"error": {"message": text, "mistakes": mistakes}});
            eprintln!("{error}");
        } else if !text.is_empty() {
            eprintln!("tributary: {text}");
        }
        ExitCode::from(self.exit_code())
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } => USAGE,
            Self::Config(_) | Self::NoKeys | Self::WrongKeys { .. } => CONFIG,
            Self::Seal(SealError::Spent { .. }) => CONFIG,
            Self::Store(StoreError::Unusable(_)) | Self::Told { config: true } => CONFIG,
            _ => OTHER,
        }
    }
}

impl From<NoSeal> for Failure {
    fn from(error: NoSeal) -> Self {
        match error {
            NoSeal::Store(error) => error.into(),
            NoSeal::Seal(error) => error.into(),
        }
    }
}

impl From<Unbound> for Failure {
    fn from(error: Unbound) -> Self {
        let what = error.to_string();
        match error {
            Unbound::BadName => Self::usage(what, "Give another --name."),
            Unbound::UnknownPlatform { id, known } => {
                let known = known.join(", ");
                let fix = format!("Known are: {known}. [platforms.{id}] in gateway.toml adds one.");
                Self::usage(what, fix)
            }
            Unbound::NoDialect { spoken, .. } => {
                Self::usage(what, format!("It can be: {}.", spoken.join(", ")))
            }
            Unbound::NoWindow { .. } => Self::usage(what, "See `windows` in gateway.toml."),
            Unbound::BadKey { help, .. } => Self::other(what, help),
            Unbound::Taken { .. } => {
                Self::other(what, "Give another --name; `tributary account list` shows all.")
            }
            Unbound::NoSeal(error) => error.into(),
            Unbound::Seal(error) => error.into(),
            Unbound::Store(error) => error.into(),
        }
    }
}
