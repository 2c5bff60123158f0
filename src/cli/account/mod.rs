//! `tributary account add|list|check`: the logins that requests run on.

mod add;
mod check;
mod key_file;
mod list;
mod period;

use clap::Subcommand;

use super::{Desk, Failure};

pub(super) use add::{New, bind, windows_of};

/// The logins that requests run on.
#[derive(Debug, Subcommand)]
pub(super) enum Account {
    Add(add::Add),
    List(list::List),
    Check(check::Check),
}

impl Account {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(desk).await,
            Self::List(list) => list.run(desk).await,
            Self::Check(check) => check.run(desk).await,
        }
    }
}
