//! `tributary pool policy`: how a pool picks.

use clap::Args;
use serde_json::json;

use super::which::{PoolOf, find};
use crate::accounts::{Deed, Doer, Policy};
use crate::cli::{Desk, Failure, print};
use crate::store::write_down;

/// Say how a pool picks an account among those that have quota.
///
/// `most_remaining`: the one with the most left. `priority`: the one with the smallest
/// priority (`account add --priority`); of equal ones that with the most left.
/// `round_robin`: the longest unused. `sticky`: a conversation stays on its account while
/// that has quota, for the platform's prompt cache. `default`: as `[store] policy` says.
#[derive(Debug, Args)]
pub(in crate::cli) struct SetPolicy {
    /// A team's name, the name of a user for its own pool, or a pool's id.
    #[arg(value_name = "POOL")]
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

impl SetPolicy {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let (directory, vault) = desk.sealing().await?;
        let pool = find(&*directory, &self.name).await?;
        let Chosen(own) = self.policy;
        directory.set_pool_policy(pool.id(), own).await?;
        let word = own.map_or("default".into(), |policy| policy.to_string());
        let deed = Deed::new(Doer::OPERATOR, "pool.policy", "pool", pool.id());
        let deed = match &pool {
            PoolOf::Person(user) => deed.of(user.id),
            PoolOf::Team(_) => deed,
        };
        write_down(&*directory, &vault, deed.with("policy", word)).await?;
        let usual = desk.config.settings.store.policy;
        if desk.json {
            let mut facts = super::list::facts(&pool, &[]);
            facts["policy"] = json!(own.unwrap_or(usual));
            facts["default"] = own.is_none().into();
            return print::json(&facts);
        }
        let policy = own.unwrap_or(usual);
        print::line(&format!("pool {} of {} picks by {policy}", pool.id(), pool.name()))
    }
}
