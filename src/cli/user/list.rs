//! `tributary user list`

use clap::Args;

use super::Facts;
use crate::accounts::User;
use crate::cli::table::table;
use crate::cli::{Desk, Failure, print};

/// List all users.
#[derive(Debug, Args)]
pub(in super::super) struct List {}

impl List {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let users = desk.directory().await?.users().await?;
        if desk.json {
            return print::json(&users.iter().map(Facts::of).collect::<Vec<_>>());
        }
        let head = ["ID", "NAME", "POOL", "ROLE", "PASSWORD", "STATE", "ADDED"];
        print::line(&table(head, users.iter().map(row).collect()))
    }
}

fn row(user: &User) -> [String; 7] {
    let identity = &user.identity;
    let state = match identity.disabled_at {
        Some(at) => format!("disabled {at}"),
        None => "enabled".to_owned(),
    };
    [
        user.id.to_string(),
        user.name.clone(),
        user.pool.to_string(),
        identity.role.word().to_owned(),
        if identity.password.is_some() { "set" } else { "none" }.to_owned(),
        state,
        user.created_at.to_string(),
    ]
}
