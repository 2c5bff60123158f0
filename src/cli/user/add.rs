//! `tributary user add`

use clap::Args;

use super::{Facts, RoleWord};
use crate::accounts::{User, UserRole};
use crate::cli::{Desk, Failure, print};
use crate::identity;
use crate::store::{Directory, StoreError};

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
        let user = if role == UserRole::Member {
            self.added(&*desk.directory().await?).await?
        } else {
            let (directory, vault) = desk.sealing().await?;
            let user = self.added(&*directory).await?;
            let given = identity::change(&*directory, &vault, user.id, |it| it.role = role).await?;
            given.unwrap_or(user)
        };
        if desk.json {
            return print::json(&Facts::of(&user));
        }
        let what = role.word();
        print::line(&format!("{what} {} `{}` added, with pool {}", user.id, user.name, user.pool))
    }

    async fn added(&self, directory: &dyn Directory) -> Result<User, Failure> {
        directory.add_user(&self.name).await.map_err(|error| match error {
            StoreError::Taken(_) => {
                let what = format!("there is already a user `{}`", self.name);
                Failure::other(what, "Give another name; `tributary user list` shows all.")
            }
            error => error.into(),
        })
    }
}
