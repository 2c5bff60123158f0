//! The account that a command is about.

use clap::Args;

use super::list::states;
use crate::accounts::{AccountId, AccountState};
use crate::cli::desk::users;
use crate::cli::{Desk, Failure};
use crate::store::Directory;

/// Names one account.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Its id, or its name.
    account: String,
    /// Whose account, where several have that name.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

impl Which {
    /// Finds it; an id before a name that looks like one.
    pub(super) async fn find(
        &self,
        desk: &Desk,
        directory: &dyn Directory,
    ) -> Result<AccountState, Failure> {
        self.look(desk, directory).await?.ok_or_else(|| self.missing())
    }

    /// As [`Which::find`], to change it: not while it is between two pools.
    pub(super) async fn find_to_change(
        &self,
        desk: &Desk,
        directory: &dyn Directory,
    ) -> Result<AccountState, Failure> {
        let state = self.find(desk, directory).await?;
        if state.health.is_on_its_way() {
            let id = state.account.id;
            let what = format!("a move of account {id} to another pool was broken off");
            return Err(Failure::other(
                what,
                format!("First: tributary account move {id} --pool POOL"),
            ));
        }
        Ok(state)
    }

    /// As [`Which::find`], where it may be missing.
    pub(super) async fn look(
        &self,
        desk: &Desk,
        directory: &dyn Directory,
    ) -> Result<Option<AccountState>, Failure> {
        let users = users(directory, self.user.as_deref()).await?;
        let mut known = states(desk, directory, &users).await?;
        let id = self.account.parse::<i64>().ok();
        if let Some(index) = known.iter().position(|state| Some(state.account.id.0) == id) {
            return Ok(Some(known.swap_remove(index)));
        }
        known.retain(|state| state.account.name == self.account);
        let found = known.pop();
        if !known.is_empty() {
            return Err(Failure::usage(
                format!("several accounts are named `{}`", self.account),
                "Give the id; `tributary account list` shows it.",
            ));
        }
        Ok(found)
    }

    /// The id, where no account that anybody sees has it: one whose removal failed half way.
    pub(super) async fn unseen(
        &self,
        desk: &Desk,
        directory: &dyn Directory,
    ) -> Result<Option<AccountId>, Failure> {
        let Ok(id) = self.account.parse().map(AccountId) else { return Ok(None) };
        let seen = states(desk, directory, &users(directory, None).await?).await?;
        Ok(seen.iter().all(|state| state.account.id != id).then_some(id))
    }

    /// There is none.
    pub(super) fn missing(&self) -> Failure {
        Failure::other(
            format!("there is no account `{}`", self.account),
            "`tributary account list` shows all.",
        )
    }
}
