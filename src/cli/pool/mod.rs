//! `tributary pool …`: the accounts that callers draw from, teams that share some, and how
//! one is picked.

mod list;
mod member;
mod policy;
mod team;
mod which;

use clap::Subcommand;

use super::{Desk, Failure};
pub(super) use which::{joined, pools_of};

/// The accounts that callers draw from, and who shares them.
#[derive(Debug, Subcommand)]
pub(super) enum Pool {
    List(list::List),
    Add(team::Add),
    Rename(team::Rename),
    Remove(team::Remove),
    #[command(subcommand)]
    Member(member::Member),
    Policy(policy::SetPolicy),
}

impl Pool {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(desk).await,
            Self::Add(add) => add.run(desk).await,
            Self::Rename(rename) => rename.run(desk).await,
            Self::Remove(remove) => remove.run(desk).await,
            Self::Member(member) => member.run(desk).await,
            Self::Policy(policy) => policy.run(desk).await,
        }
    }
}
