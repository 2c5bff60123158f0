//! `tributary account remove`: an account goes, with its records.

use clap::Args;
use serde_json::json;

use super::deed;
use super::which::Which;
use crate::accounts::{Deed, Doer};
use crate::cli::{Desk, Failure, print};
use crate::store::write_down;

/// Remove an account with its credential, its records and its charges. Totals keep what it
/// used, without its id.
#[derive(Debug, Args)]
pub(in crate::cli) struct Remove {
    #[command(flatten)]
    which: Which,
}

impl Remove {
    pub(in crate::cli) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let (directory, vault) = desk.sealing().await?;
        let found = self.which.look(desk, &*directory).await?.map(|state| state.account);
        let id = match &found {
            Some(account) => Some(account.id),
            // What an earlier removal left is found by its id alone.
            None => self.which.unseen(desk, &*directory).await?,
        };
        let Some(id) = id else { return Err(self.which.missing()) };
        let written = async |action| match &found {
            Some(account) => write_down(&*directory, &vault, deed(account, action)).await,
            None => Ok(()),
        };
        // Before: of a removal that fails half way nobody finds the account.
        written("account.delete").await?;
        if !directory.remove_account(id).await? {
            written("account.delete_refused").await?;
            return Err(self.which.missing());
        }
        if found.is_none() {
            let deed = Deed::new(Doer::OPERATOR, "account.delete", "account", id);
            write_down(&*directory, &vault, deed).await?;
        }
        if desk.json {
            return print::json(&json!({
                "id": id,
                "platform": found.as_ref().map(|account| &account.platform),
                "name": found.as_ref().map(|account| &account.name),
                "removed": true,
            }));
        }
        let name = found.map(|account| format!(" `{}`", account.name)).unwrap_or_default();
        print::line(&format!("account {id}{name} is removed, with its records"))
    }
}
