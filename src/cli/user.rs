//! `tributary user add|list`: the people who bind accounts and call.

use clap::{Args, Subcommand};

use super::table::table;
use super::{Desk, Failure, print};
use crate::accounts::{self, Deed, Doer};
use crate::store::{Directory, StoreError, write_down};
use crate::vault::Vault;

/// The people who bind accounts and call.
#[derive(Debug, Subcommand)]
pub(super) enum User {
    Add(Add),
    List(List),
}

/// Add a user, with a personal pool.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// Its name.
    name: String,
}

/// List all users.
#[derive(Debug, Args)]
pub(super) struct List {}

impl User {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(desk).await,
            Self::List(_) => list(desk).await,
        }
    }
}

impl Add {
    async fn run(self, desk: &Desk) -> Result<(), Failure> {
        if self.name.is_empty() || self.name.chars().any(char::is_control) {
            return Err(Failure::usage("a user's name is a line of text", "Give another NAME."));
        }
        let (directory, vault) = desk.sealing().await?;
        let added = add(&*directory, &vault, &self.name).await;
        let user = added.map_err(|error| match error {
            StoreError::Taken(_) => {
                let what = format!("there is already a user `{}`", self.name);
                Failure::other(what, "Give another name; `tributary user list` shows all.")
            }
            error => error.into(),
        })?;
        if desk.json {
            return print::json(&user);
        }
        print::line(&format!("user {} `{}` added, with pool {}", user.id, user.name, user.pool))
    }
}

/// Adds a user, and writes that down.
pub(super) async fn add(
    directory: &dyn Directory,
    vault: &Vault,
    name: &str,
) -> Result<accounts::User, StoreError> {
    let user = directory.add_user(name).await?;
    let deed = Deed::new(Doer::OPERATOR, "user.add", "user", user.id);
    write_down(directory, vault, deed.of(user.id).with("name", &user.name)).await?;
    Ok(user)
}

async fn list(desk: &Desk) -> Result<(), Failure> {
    let users = desk.directory().await?.users().await?;
    if desk.json {
        return print::json(&users);
    }
    let row = |user: accounts::User| {
        [user.id.to_string(), user.name, user.pool.to_string(), user.created_at.to_string()]
    };
    print::line(&table(["ID", "NAME", "POOL", "ADDED"], users.into_iter().map(row).collect()))
}
