//! `tributary account remove`: an account goes, with its records.

use clap::Args;
use serde_json::json;

use super::which::Which;
use crate::cli::{Desk, Failure, print};

/// Remove an account with its credential, its records and its charges. Totals keep what it
/// used, without its id.
#[derive(Debug, Args)]
pub(in crate::cli) struct Remove {
    #[command(flatten)]
    which: Which,
}

impl Remove {
    pub(in crate::cli) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let directory = desk.directory().await?;
        let account = self.which.find(desk, &*directory).await?.account;
        if !directory.remove_account(account.id).await? {
            return Err(self.which.missing());
        }
        if desk.json {
            return print::json(&json!({
                "id": account.id,
                "platform": account.platform,
                "name": account.name,
                "removed": true,
            }));
        }
        print::line(&format!(
            "account {} `{}` is removed, with its records",
            account.id, account.name
        ))
    }
}
