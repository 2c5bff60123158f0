//! `tributary pool list`: whose pools there are, who shares them, how they pick.

use clap::Args;
use serde_json::{Value, json};

use super::which::{PoolOf, all};
use crate::accounts::{Policy, TeamRole};
use crate::cli::desk::{user_named, users};
use crate::cli::table::table;
use crate::cli::{Desk, Failure, print};
use crate::store::Directory;

/// List pools with their members and policies.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Those that this user draws from alone.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

/// A member's name and role.
pub(super) type Named = (String, TeamRole);

impl List {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let directory = desk.directory().await?;
        let mut pools = all(&*directory).await?;
        if let Some(name) = &self.user {
            let user = user_named(&*directory, name).await?;
            let of_user = super::pools_of(&*directory, &[user]).await?;
            pools.retain(|pool| of_user.contains(&pool.id()));
        }
        let mut rows = Vec::new();
        for pool in pools {
            let own = directory.pool_policy(pool.id()).await?;
            let members = members(&*directory, &pool).await?;
            rows.push((pool, members, own));
        }
        let usual = desk.config.settings.store.policy;
        if desk.json {
            let facts = |(pool, members, own): &(PoolOf, Vec<Named>, Option<Policy>)| {
                let mut facts = facts(pool, members);
                facts["policy"] = json!(own.unwrap_or(usual));
                facts["default"] = own.is_none().into();
                facts
            };
            return print::json(&rows.iter().map(facts).collect::<Vec<_>>());
        }
        let row = |(pool, members, own): (PoolOf, Vec<Named>, Option<Policy>)| {
            let policy = match own {
                Some(policy) => policy.to_string(),
                None => format!("{usual} (the default)"),
            };
            let word = |(name, role): Named| match role {
                TeamRole::Owner => format!("{name} (owner)"),
                TeamRole::Member => name,
            };
            let members = members.into_iter().map(word).collect::<Vec<_>>().join(", ");
            [pool.id().to_string(), pool.kind().into(), pool.name().into(), members, policy]
        };
        let head = ["ID", "KIND", "NAME", "MEMBERS", "POLICY"];
        print::line(&table(head, rows.into_iter().map(row).collect()))
    }
}

/// Who draws from a pool, in the order of joining.
pub(super) async fn members(
    directory: &dyn Directory,
    pool: &PoolOf,
) -> Result<Vec<Named>, Failure> {
    let PoolOf::Team(team) = pool else { return Ok(Vec::new()) };
    let people = users(directory, None).await?;
    let named = directory.members_of(team.id).await?.into_iter().map(|member| {
        let name = people.iter().find(|user| user.id == member.user).map(|user| user.name.clone());
        (name.unwrap_or_else(|| format!("user {}", member.user)), member.role)
    });
    Ok(named.collect())
}

/// A pool's facts. A personal one has a user, a team's has members.
pub(super) fn facts(pool: &PoolOf, members: &[Named]) -> Value {
    let member = |(name, role): &Named| json!({ "user": name, "role": role });
    let user = match pool {
        PoolOf::Person(user) => Some(&user.name),
        PoolOf::Team(_) => None,
    };
    json!({
        "id": pool.id(),
        "kind": pool.kind(),
        "name": pool.name(),
        "user": user,
        "members": members.iter().map(member).collect::<Vec<_>>(),
    })
}
