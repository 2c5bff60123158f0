//! `tributary points grant|balance|ledger`: what users spend on the operator's keys.

use clap::{Args, Subcommand};
use serde_json::json;

use super::desk::{user_named, users};
use super::table::table;
use super::{Desk, Failure, print};
use crate::accounts::{Deed, Doer, Points as Amount, PointsEntry, Purse, PurseState, User};
use crate::store::write_down;

/// What users spend on the operator's own keys, once none of their accounts has quota left.
#[derive(Debug, Subcommand)]
pub(super) enum Points {
    Grant(Grant),
    Balance(Balance),
    Ledger(Ledger),
}

/// Give points to a user; an amount below zero takes them back.
#[derive(Debug, Args)]
pub(super) struct Grant {
    /// Whose balance.
    #[arg(long, value_name = "NAME")]
    user: String,
    /// How many, as `100` or `0.5`.
    #[arg(allow_negative_numbers = true)]
    amount: Amount,
    /// Words for the ledger.
    #[arg(long, default_value = "", value_name = "TEXT")]
    note: String,
}

/// Show balances, and what requests under way hold of them.
#[derive(Debug, Args)]
pub(super) struct Balance {
    /// Of this user alone.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

/// Show the entries that a balance is the sum of, newest first.
#[derive(Debug, Args)]
pub(super) struct Ledger {
    /// Whose ledger.
    #[arg(long, value_name = "NAME")]
    user: String,
    /// How many.
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

impl Points {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        match self {
            Self::Grant(grant) => grant.run(desk).await,
            Self::Balance(balance) => balance.run(desk).await,
            Self::Ledger(ledger) => ledger.run(desk).await,
        }
    }
}

impl Grant {
    async fn run(self, desk: &Desk) -> Result<(), Failure> {
        if self.note.chars().any(char::is_control) {
            return Err(Failure::usage("a note is a line of text", "Give another --note."));
        }
        let (directory, vault) = desk.sealing().await?;
        let user = user_named(&*directory, &self.user).await?;
        let deed = |action| {
            Deed::new(Doer::OPERATOR, action, "user", user.id)
                .of(user.id)
                .with("points", self.amount)
                .with("note", &self.note)
        };
        write_down(&*directory, &vault, deed("points.grant")).await?;
        let balance = directory.grant_points(user.id, self.amount, &self.note).await?;
        let Some(balance) = balance else {
            write_down(&*directory, &vault, deed("points.grant_refused")).await?;
            let what = format!("{} has not so many points, or would have too many", user.name);
            let fix =
                format!("Requests may hold some: tributary points balance --user {}", user.name);
            return Err(Failure::other(what, fix));
        };
        if desk.json {
            return print::json(&json!({
                "user": user.name, "granted": self.amount, "balance": balance,
            }));
        }
        print::line(&format!("{} has {balance} points", user.name))
    }
}

impl Balance {
    async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let directory = desk.directory().await?;
        let mut balances: Vec<(User, PurseState)> = Vec::new();
        for user in users(&*directory, self.user.as_deref()).await? {
            let state = directory.purse(&Purse::Points(user.id)).await?;
            balances.push((user, state));
        }
        let held = |state: &PurseState| Amount::of_millionths(state.held.into());
        if desk.json {
            let facts = |(user, state): &(User, PurseState)| json!({ "user": user.name, "balance": Amount(state.left), "held": held(state) });
            return print::json(&balances.iter().map(facts).collect::<Vec<_>>());
        }
        let row = |(user, state): &(User, PurseState)| {
            [user.name.clone(), Amount(state.left).to_string(), held(state).to_string()]
        };
        let rows = balances.iter().map(row).collect();
        print::line(&table(["USER", "BALANCE", "HELD"], rows))
    }
}

impl Ledger {
    async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let directory = desk.directory().await?;
        let user = user_named(&*directory, &self.user).await?;
        let entries = directory.points_ledger(user.id, None, self.limit).await?;
        if desk.json {
            return print::json(&entries);
        }
        let head = ["TIME", "KIND", "POINTS", "BALANCE", "HOLD", "NOTE"];
        print::line(&table(head, entries.into_iter().map(row).collect()))
    }
}

fn row(entry: PointsEntry) -> [String; 6] {
    let kind = serde_json::to_value(entry.kind).ok();
    [
        entry.at.to_string(),
        kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default().to_owned(),
        entry.points.to_string(),
        entry.balance.to_string(),
        entry.hold.map(|hold| hold.to_string()).unwrap_or_default(),
        entry.note,
    ]
}
