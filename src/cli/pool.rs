//! `tributary pool list|policy`: the accounts that callers draw from, and how one is picked.

use clap::{Args, Subcommand};
use serde_json::json;

use super::desk::{user_named, users};
use super::table::table;
use super::{Desk, Failure, print};
use crate::accounts::{Deed, Doer, Policy, User};
use crate::store::write_down;

/// The accounts that callers draw from, and how one is picked.
#[derive(Debug, Subcommand)]
pub(super) enum Pool {
    List(List),
    Policy(SetPolicy),
}

/// List pools with their policies.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Of this user alone.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

/// Say how a pool picks an account among those that have quota.
///
/// `most_remaining`: the one with the most left. `priority`: the one with the smallest
/// priority (`account add --priority`); of equal ones that with the most left.
/// `round_robin`: the longest unused. `sticky`: a conversation stays on its account while
/// that has quota, for the platform's prompt cache. `default`: as `[store] policy` says.
#[derive(Debug, Args)]
pub(super) struct SetPolicy {
    /// Whose pool: the name of a user.
    name: String,
    /// The policy, or `default`.
    #[arg(value_parser = choice)]
    policy: Choice,
}

/// A pool's own policy, or none.
type Choice = Chosen<Option<Policy>>;

/// Keeps clap from reading an `Option` as an argument that may be missing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen<T>(T);

fn choice(word: &str) -> Result<Choice, String> {
    if word == "default" {
        return Ok(Chosen(None));
    }
    word.parse().map(Some).map(Chosen).map_err(|error| format!("{error}, and default"))
}

impl Pool {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(desk).await,
            Self::Policy(policy) => policy.run(desk).await,
        }
    }
}

impl List {
    async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let directory = desk.directory().await?;
        let mut pools = Vec::new();
        for user in users(&*directory, self.user.as_deref()).await? {
            let own = directory.pool_policy(user.pool).await?;
            pools.push((user, own));
        }
        let usual = desk.config.settings.store.policy;
        if desk.json {
            let facts = |(user, own): &(User, Option<Policy>)| facts(user, *own, usual);
            return print::json(&pools.iter().map(facts).collect::<Vec<_>>());
        }
        let row = |(user, own): (User, Option<Policy>)| {
            let policy = match own {
                Some(policy) => policy.to_string(),
                None => format!("{usual} (the default)"),
            };
            [user.pool.to_string(), user.name, policy]
        };
        print::line(&table(["ID", "USER", "POLICY"], pools.into_iter().map(row).collect()))
    }
}

impl SetPolicy {
    async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let (directory, vault) = desk.sealing().await?;
        let user = user_named(&*directory, &self.name).await?;
        let Chosen(own) = self.policy;
        directory.set_pool_policy(user.pool, own).await?;
        let word = own.map_or("default".into(), |policy| policy.to_string());
        let deed = Deed::new(Doer::OPERATOR, "pool.policy", "pool", user.pool);
        write_down(&*directory, &vault, deed.of(user.id).with("policy", word)).await?;
        let usual = desk.config.settings.store.policy;
        if desk.json {
            return print::json(&facts(&user, own, usual));
        }
        let policy = own.unwrap_or(usual);
        print::line(&format!("pool {} of {} picks by {policy}", user.pool, user.name))
    }
}

fn facts(user: &User, own: Option<Policy>, usual: Policy) -> serde_json::Value {
    json!({
        "id": user.pool,
        "user": user.name,
        "policy": own.unwrap_or(usual),
        "default": own.is_none(),
    })
}
