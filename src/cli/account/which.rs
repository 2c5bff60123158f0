//! The account that a command is about.

use clap::Args;

use super::list::states;
use crate::accounts::AccountState;
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
        let users = users(directory, self.user.as_deref()).await?;
        let mut known = states(desk, directory, &users).await?;
        let id = self.account.parse::<i64>().ok();
        if let Some(index) = known.iter().position(|state| Some(state.account.id.0) == id) {
            return Ok(known.swap_remove(index));
        }
        known.retain(|state| state.account.name == self.account);
        match (known.pop(), known.is_empty()) {
            (Some(state), true) => Ok(state),
            (None, _) => Err(self.missing()),
            (Some(_), false) => Err(Failure::usage(
                format!("several accounts are named `{}`", self.account),
                "Give the id; `tributary account list` shows it.",
            )),
        }
    }

    /// There is none.
    pub(super) fn missing(&self) -> Failure {
        Failure::other(
            format!("there is no account `{}`", self.account),
            "`tributary account list` shows all.",
        )
    }
}
