//! `tributary user password`

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use zeroize::Zeroizing;

use super::Facts;
use crate::accounts::{Deed, Doer, Identity};
use crate::cli::account::key_file;
use crate::cli::desk::user_named;
use crate::cli::{Desk, Failure, print};
use crate::identity::{self, NoHash, Passwords, SHORTEST_PASSWORD, is_password};
use crate::store::write_down;

/// Set a user's password. Its sessions end.
#[derive(Debug, Args)]
pub(in super::super) struct Password {
    /// Its name.
    name: String,
    /// Read it from a file; `-` is standard input [default: asked for on the terminal].
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl Password {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let (directory, vault) = desk.sealing().await?;
        let user = user_named(&*directory, &self.name).await?;
        let password = match &self.password_file {
            Some(file) => {
                let text = key_file::read(file)?;
                Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            None => asked_for(&user.name)?,
        };
        if !is_password(&password) {
            let what = format!("a password is one line of {SHORTEST_PASSWORD} characters or more");
            return Err(Failure::usage(what, "Take a longer one."));
        }
        let hash = Passwords::new(&desk.config.settings.passwords).hash(password).await?;
        let deed = Deed::new(Doer::OPERATOR, "user.password", "user", user.id).of(user.id);
        write_down(&*directory, &vault, deed).await?;
        let edit = |it: &mut Identity| {
            it.password = Some(hash.clone());
            it.epoch += 1;
        };
        let user = identity::change(&*directory, &vault, user.id, edit).await?.unwrap_or(user);
        if desk.json {
            return print::json(&Facts::of(&user));
        }
        print::line(&format!("{} has a new password; its sessions have ended", user.name))
    }
}

/// Asks twice, without showing what is typed.
fn asked_for(name: &str) -> Result<Zeroizing<String>, Failure> {
    let fix = "Run it on a terminal, or give --password-file FILE.";
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("there is no terminal to ask for the password on", fix));
    }
    let ask = |prompt: String| {
        let typed = rpassword::prompt_password(prompt).map(Zeroizing::new);
        typed.map_err(|error| Failure::Io { what: "the terminal".into(), error })
    };
    let first = ask(format!("New password for {name}: "))?;
    let second = ask("Once more: ".into())?;
    if *first != *second {
        return Err(Failure::other("the two are not the same", "Nothing was changed. Try again."));
    }
    Ok(first)
}

impl From<NoHash> for Failure {
    fn from(error: NoHash) -> Self {
        Self::other(error.to_string(), "Try again.")
    }
}
