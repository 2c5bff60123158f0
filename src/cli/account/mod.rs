//! `tributary account add|list|edit|move|check|enable|disable|remove`: the logins that requests run on.

mod add;
mod check;
mod edit;
pub(super) mod key_file;
mod list;
mod relocate;
mod remove;
mod switch;
mod which;

use clap::Subcommand;

use super::{Desk, Failure};
use crate::accounts::{Account as Bound, Deed, Doer};

/// The logins that requests run on.
#[derive(Debug, Subcommand)]
pub(super) enum Account {
    Add(add::Add),
    List(list::List),
    Edit(edit::Edit),
    Move(relocate::Move),
    Check(check::Check),
    Enable(switch::Enable),
    Disable(switch::Disable),
    Remove(remove::Remove),
}

impl Account {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(desk).await,
            Self::List(list) => list.run(desk).await,
            Self::Edit(edit) => edit.run(desk).await,
            Self::Move(one) => one.run(desk).await,
            Self::Check(check) => check.run(desk).await,
            Self::Enable(enable) => enable.run(desk).await,
            Self::Disable(disable) => disable.run(desk).await,
            Self::Remove(remove) => remove.run(desk).await,
        }
    }
}

/// What the operator does to an account, for the audit log.
pub(super) fn deed(account: &Bound, action: &str) -> Deed {
    Deed::new(Doer::OPERATOR, action, "account", account.id)
        .of(account.owner)
        .with("platform", &account.platform)
        .with("name", &account.name)
}
