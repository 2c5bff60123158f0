//! Where the key ring comes from: the operator's variable, file or program; for `demo` and
//! `--dev`, a ring of their own in the user's configuration folder, never beside the
//! database that it seals.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::environment::{Environment, MASTER_KEYS, MASTER_KEYS_FILE};
use super::ring_command::{PATIENCE, RingCommand};
use super::{Mistake, Mistakes, Where, secret_file};
use crate::vault::{KeyRing, RingError};

/// How a variable begins that names a program instead of holding the ring.
const COMMAND: &str = "command:";

/// Whether a ring that this program made itself will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnRing {
    /// It will not: the operator's, or none.
    Never,
    /// It will, where there is one: commands beside a demo.
    IfThere,
    /// It will, and is made where there is none.
    Make,
}

/// The key ring; `None` where nobody set one.
///
/// # Errors
/// A ring that can't be read or used, a file that others may read, a program that fails.
pub async fn key_ring(
    environment: &Environment,
    own: OwnRing,
) -> Result<Option<KeyRing>, Mistakes> {
    match (&environment.master_keys, &environment.master_keys_file) {
        (Some(_), Some(_)) => Err(wrong(
            variable(MASTER_KEYS_FILE),
            format!("{MASTER_KEYS} is set too"),
            "set one of them",
        )),
        (Some(text), None) => match text.strip_prefix(COMMAND) {
            Some(line) => printed(text, line).await.map(Some),
            None => parse(text, variable(MASTER_KEYS)).map(Some),
        },
        (None, Some(file)) => read(file).map(Some),
        (None, None) => own_ring(environment, own),
    }
}

fn own_ring(environment: &Environment, own: OwnRing) -> Result<Option<KeyRing>, Mistakes> {
    let folder = environment.config_home.as_ref().map(|home| home.join("tributary"));
    match (own, folder) {
        (OwnRing::Never, _) | (OwnRing::IfThere, None) => Ok(None),
        (OwnRing::Make, None) => Err(wrong(
            Where::Default,
            "there is no folder for a key ring of its own",
            "set HOME, or TRIBUTARY_MASTER_KEYS",
        )),
        (own, Some(folder)) => {
            let file = folder.join("keys");
            if !file.exists() {
                if own == OwnRing::IfThere {
                    return Ok(None);
                }
                make(&folder, &file).map_err(|error| {
                    let at = Where::File { file: file.clone(), line: None };
                    wrong(at, format!("can't be made: {error}"), "set TRIBUTARY_MASTER_KEYS")
                })?;
            }
            read(&file).map(Some)
        }
    }
}

fn read(file: &Path) -> Result<KeyRing, Mistakes> {
    let text = secret_file::read(file, "the key ring")?;
    parse(&text, Where::File { file: file.to_owned(), line: None })
}

/// The ring that a program prints.
async fn printed(text: &str, line: &str) -> Result<KeyRing, Mistakes> {
    let failed = |what: String, fix: &str| wrong(variable(MASTER_KEYS), what, fix);
    if KeyRing::parse(text).is_ok() {
        let what = "reads as a program to run and as a key named `command`";
        let fix = "give the key another name, or the program an argument";
        return Err(failed(what.to_owned(), fix));
    }
    let fix = "run it by hand: it must print the key ring on standard output";
    let command = RingCommand::parse(line).map_err(|what| failed(what, fix))?;
    let text = command.run(PATIENCE).await.map_err(|what| failed(what, fix))?;
    KeyRing::parse(&text).map_err(|error| {
        failed(format!("`{}` printed no good key ring: {error}", command.program()), fix)
    })
}

fn parse(text: &str, at: Where) -> Result<KeyRing, Mistakes> {
    KeyRing::parse(text).map_err(|error| {
        let fix = match error {
            RingError::DuplicateKid { .. } | RingError::SameKey { .. } => "remove one of them",
            _ => "`tributary keys generate` makes a good entry",
        };
        wrong(at, error.to_string(), fix)
    })
}

/// Makes a ring that appears whole or not at all: two commands may start at once.
fn make(folder: &Path, file: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let entry = KeyRing::generate().map_err(io::Error::other)?;
    let draft = folder.join(format!(".keys-{}", std::process::id()));
    let mut new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = new.write_all(entry.as_bytes()).and_then(|()| new.sync_all());
    let linked = written.and_then(|()| match fs::hard_link(&draft, file) {
        // The other command was first: its ring is as good.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    fs::remove_file(&draft)?;
    linked
}

fn variable(name: &str) -> Where {
    Where::Variable { variable: name.to_owned() }
}

fn wrong(at: Where, what: impl Into<String>, fix: impl Into<String>) -> Mistakes {
    Mistake { at, key: String::new(), what: what.into(), fix: fix.into() }.into()
}
