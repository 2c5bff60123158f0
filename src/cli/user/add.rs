//! `tributary user add`

use clap::Args;

use super::{Facts, RoleWord};
use crate::accounts::{Deed, Doer, User, UserRole};
use crate::cli::{Desk, Failure, print};
use crate::identity;
use crate::store::{Directory, StoreError, write_down};
use crate::vault::Vault;

/// Add a user, with a personal pool.
#[derive(Debug, Args)]
pub(in super::super) struct Add {
    /// Its name.
    name: String,
    /// What it is.
    #[arg(long, default_value = "member")]
    role: RoleWord,
}

impl Add {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        if self.name.is_empty() || self.name.chars().any(char::is_control) {
            return Err(Failure::usage("a user's name is a line of text", "Give another NAME."));
        }
        let role = UserRole::from(self.role);
        let (directory, vault) = desk.sealing().await?;
        let mut user = self.added(&*directory, &vault).await?;
        if role != UserRole::Member {
            let deed = Deed::new(Doer::OPERATOR, "user.role", "user", user.id).of(user.id);
            write_down(&*directory, &vault, deed.with("role", role.word())).await?;
            let given = identity::change(&*directory, &vault, user.id, |it| it.role = role).await?;
            user = given.unwrap_or(user);
        }
        if desk.json {
            return print::json(&Facts::of(&user));
        }
        let what = role.word();
        print::line(&format!("{what} {} `{}` added, with pool {}", user.id, user.name, user.pool))
    }

    async fn added(&self, directory: &dyn Directory, vault: &Vault) -> Result<User, Failure> {
        add(directory, vault, &self.name).await.map_err(|error| match error {
            StoreError::Taken(_) => {
                let what = format!("there is already a user `{}`", self.name);
                Failure::other(what, "Give another name; `tributary user list` shows all.")
            }
            error => error.into(),
        })
    }
}

/// Adds a user, and writes that down.
pub(in super::super) async fn add(
    directory: &dyn Directory,
    vault: &Vault,
    name: &str,
) -> Result<User, StoreError> {
    let user = directory.add_user(name).await?;
    let deed = Deed::new(Doer::OPERATOR, "user.add", "user", user.id);
    write_down(directory, vault, deed.of(user.id).with("name", &user.name)).await?;
    Ok(user)
}
