//! `tributary account enable|disable`: a person's word on an account.

use clap::Args;
use serde_json::json;

use super::deed;
use super::which::Which;
use crate::accounts::Health;
use crate::cli::{Desk, Failure, print};
use crate::store::write_down;

/// Let requests run on an account again, whatever stopped it.
#[derive(Debug, Args)]
pub(in crate::cli) struct Enable {
    #[command(flatten)]
    which: Which,
}

/// Keep requests off an account until it is enabled. What runs is finished.
#[derive(Debug, Args)]
pub(in crate::cli) struct Disable {
    #[command(flatten)]
    which: Which,
}

impl Enable {
    pub(in crate::cli) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        switch(desk, &self.which, Health::Active).await
    }
}

impl Disable {
    pub(in crate::cli) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        switch(desk, &self.which, Health::disabled_by_hand()).await
    }
}

async fn switch(desk: &Desk, which: &Which, health: Health) -> Result<(), Failure> {
    let (directory, vault) = desk.sealing().await?;
    let account = which.find_to_change(desk, &*directory).await?.account;
    let (status, reason) = (health.status(), health.reason().map(str::to_owned));
    if directory.set_health(account.id, health).await?.is_none() {
        return Err(which.missing());
    }
    let action = if reason.is_none() { "account.enable" } else { "account.disable" };
    write_down(&*directory, &vault, deed(&account, action)).await?;
    if desk.json {
        return print::json(&json!({
            "id": account.id,
            "platform": account.platform,
            "name": account.name,
            "status": status,
            "reason": reason,
        }));
    }
    print::line(&format!("account {} `{}` is {status}", account.id, account.name))
}
