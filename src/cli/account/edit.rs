//! `tributary account edit`: what a person sets of an account.

use clap::Args;
use serde_json::json;

use super::add::priority;
use super::which::Which;
use crate::accounts::Priority;
use crate::cli::{Desk, Failure, print};

/// Change what is set of an account.
#[derive(Debug, Args)]
pub(in crate::cli) struct Edit {
    #[command(flatten)]
    which: Which,
    /// Where it comes in a pool that goes by priority: 0 is first, 100 last.
    #[arg(long, value_name = "NUMBER", value_parser = priority)]
    priority: Priority,
}

impl Edit {
    pub(in crate::cli) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let directory = desk.directory().await?;
        let account = self.which.find(desk, &*directory).await?.account;
        if directory.set_priority(account.id, self.priority).await?.is_none() {
            return Err(self.which.missing());
        }
        if desk.json {
            return print::json(&json!({
                "id": account.id,
                "platform": account.platform,
                "name": account.name,
                "priority": self.priority,
            }));
        }
        let (id, name) = (account.id, account.name);
        print::line(&format!("account {id} `{name}` has priority {}", self.priority))
    }
}
