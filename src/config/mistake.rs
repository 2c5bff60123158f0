//! A mistake in the configuration, told so that it can be put right.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// One mistake: `gateway.toml:3: server.lisen: there is no such setting; did you mean
/// `listen`?`. It never repeats a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Mistake {
    /// Where it stands.
    #[serde(flatten)]
    pub at: Where,
    /// The key, as `server.listen`; empty where it is about no key.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub fix: String,
}

/// Where a mistake stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Where {
    /// In the file.
    File {
        /// Which file.
        file: PathBuf,
        /// The line, from 1; `None` where it is about the whole file.
        line: Option<usize>,
    },
    /// In an environment variable.
    Variable {
        /// Its name.
        variable: String,
    },
    /// In what was not set at all.
    Default,
}

/// Every mistake of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("{}", self.lines())]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    /// By their order in the file, then the variables.
    pub(super) fn sorted(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort();
        Self(mistakes)
    }

    fn lines(&self) -> String {
        let lines: Vec<_> = self.0.iter().map(Mistake::to_string).collect();
        lines.join("\n")
    }
}

impl From<Mistake> for Mistakes {
    fn from(mistake: Mistake) -> Self {
        Self(vec![mistake])
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Where::File { file, line: Some(line) } => write!(f, "{}:{line}: ", file.display())?,
            Where::File { file, line: None } => write!(f, "{}: ", file.display())?,
            Where::Variable { variable } => write!(f, "{variable}: ")?,
            Where::Default => {}
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}", self.what)?;
        if self.fix.is_empty() { Ok(()) } else { write!(f, "; {}", self.fix) }
    }
}
