//! `tributary account move`: an account goes to another pool of its owner's.

use clap::Args;
use serde_json::json;

use super::which::Which;
use crate::accounts::Doer;
use crate::authorize::{Unmoved, relocate};
use crate::cli::pool::joined;
use crate::cli::{Desk, Failure, print};

/// Move an account to another pool that its owner draws from. Its windows, health and records
/// come along; requests must not be under way on it.
#[derive(Debug, Args)]
pub(in crate::cli) struct Move {
    #[command(flatten)]
    which: Which,
    /// The pool it goes to: a team's name, the name of a user for its own, or a pool's id. The
    /// one that it is in ends a move that was broken off.
    #[arg(long)]
    pool: String,
}

impl Move {
    pub(in crate::cli) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let (directory, vault) = desk.sealing().await?;
        let account = self.which.find(desk, &*directory).await?.account;
        let Some(owner) = directory.user(account.owner).await? else {
            return Err(self.which.missing());
        };
        let pool = joined(&*directory, &owner, &self.pool).await?;
        let worn = relocate(&*directory, &vault, Doer::OPERATOR, &account, pool).await?;
        if let Some(worn) = worn {
            eprintln!("warning: {worn}");
        }
        if desk.json {
            return print::json(&json!({
                "id": account.id,
                "platform": account.platform,
                "name": account.name,
                "from_pool": account.pool,
                "pool": pool,
            }));
        }
        print::line(&format!("account {} `{}` is in pool {pool}", account.id, account.name))
    }
}

impl From<Unmoved> for Failure {
    fn from(error: Unmoved) -> Self {
        let what = error.to_string();
        let fix = match error {
            Unmoved::Busy(account) => format!(
                "First: tributary account disable {}; what runs ends within two minutes.",
                account.id
            ),
            Unmoved::Changed(_) => "Try again.".into(),
            Unmoved::Taken(account) => {
                format!("First: tributary account edit {} --name NAME", account.id)
            }
            Unmoved::Closed(_) => "`tributary pool list` shows all.".into(),
            Unmoved::Unopened(..) => {
                "Put its key back into the ring, or bind it anew in the other pool.".into()
            }
            Unmoved::NoSeal(error) => return error.into(),
            Unmoved::Seal(error) => return error.into(),
            Unmoved::Store(error) => return error.into(),
        };
        Self::other(what, fix)
    }
}
