//! `tributary account edit`: what a person sets of an account.

use clap::Args;
use serde_json::json;

use super::add::priority;
use super::deed;
use super::which::Which;
use crate::accounts::{Origin, Priority, Tokens};
use crate::authorize::{Unbound, is_name};
use crate::cli::{Desk, Failure, print};
use crate::store::{StoreError, write_down};

/// Change what is set of an account.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(true)
    .args(["priority", "name", "limit"])))]
pub(in crate::cli) struct Edit {
    #[command(flatten)]
    which: Which,
    /// Where it comes in a pool that goes by priority: 0 is first, 100 last.
    #[arg(long, value_name = "NUMBER", value_parser = priority)]
    priority: Option<Priority>,
    /// Another name to know it by.
    #[arg(long)]
    name: Option<String>,
    /// Its token limit, in its first window.
    #[arg(long, value_name = "TOKENS")]
    limit: Option<u64>,
}

impl Edit {
    pub(in crate::cli) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let (directory, vault) = desk.sealing().await?;
        let state = self.which.find_to_change(desk, &*directory).await?;
        let (account, id) = (&state.account, state.account.id);
        if self.name.as_deref().is_some_and(|name| !is_name(name)) {
            return Err(Unbound::BadName.into());
        }
        if self.limit.is_some() && state.windows.is_empty() {
            return Err(Unbound::NoWindow { platform: account.platform.to_string() }.into());
        }
        let mut found = Some(());
        if let Some(name) = &self.name {
            found = match directory.rename_account(id, name).await {
                Err(StoreError::Taken(_)) => {
                    let platform = account.platform.to_string();
                    return Err(Unbound::Taken { name: name.clone(), platform }.into());
                }
                answer => answer?,
            };
        }
        if let Some(limit) = self.limit.map(Tokens) {
            let set = directory.set_limit(id, Some(limit), Origin::Hand, &desk.resets()).await?;
            found = found.and(set);
        }
        if let Some(priority) = self.priority {
            found = found.and(directory.set_priority(id, priority).await?);
        }
        if found.is_none() {
            return Err(self.which.missing());
        }
        let deed = deed(account, "account.change")
            .with_some("to_name", self.name.as_deref())
            .with_some("limit", self.limit)
            .with_some("priority", self.priority);
        write_down(&*directory, &vault, deed).await?;
        let name = self.name.as_deref().unwrap_or(&account.name);
        let priority = self.priority.unwrap_or(state.priority);
        if desk.json {
            return print::json(&json!({
                "id": id,
                "platform": account.platform,
                "name": name,
                "priority": priority,
                "limit": self.limit,
            }));
        }
        let limit = self.limit.map(|limit| format!(" and a limit of {limit} tokens"));
        let limit = limit.unwrap_or_default();
        print::line(&format!("account {id} `{name}` has priority {priority}{limit}"))
    }
}
