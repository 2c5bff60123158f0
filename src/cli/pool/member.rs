//! `tributary pool member add|remove|list`: who belongs to a team.

use clap::{Args, Subcommand};
use serde_json::json;

use super::list::members;
use super::team::too_many_teams;
use super::which::{PoolOf, team};
use crate::accounts::{Deed, Doer, Membership, PoolId, Seating, TeamRole, UserId};
use crate::cli::desk::user_named;
use crate::cli::table::table;
use crate::cli::{Desk, Failure, print};
use crate::relay::membership;
use crate::store::{Directory, write_down};
use crate::telemetry::clock;

/// Who belongs to a team.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Member {
    Add(Add),
    Remove(Remove),
    List(List),
}

/// Add a member to a team, or change what it may do there.
#[derive(Debug, Args)]
pub(in crate::cli) struct Add {
    /// The team's name or its pool's id.
    pool: String,
    /// The user's name.
    user: String,
    /// As an owner, who says who belongs to the team and may change its accounts.
    #[arg(long)]
    owner: bool,
}

/// Remove a member from a team: it draws from its pool no more within 5 seconds.
#[derive(Debug, Args)]
pub(in crate::cli) struct Remove {
    /// The team's name or its pool's id.
    pool: String,
    /// The user's name.
    user: String,
}

/// List a team's members, in the order of joining.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// The team's name or its pool's id.
    pool: String,
}

impl Member {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(desk).await,
            Self::Remove(remove) => remove.run(desk).await,
            Self::List(list) => list.run(desk).await,
        }
    }
}

impl Add {
    async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let (directory, vault) = desk.sealing().await?;
        let team = team(&*directory, &self.pool).await?;
        let user = user_named(&*directory, &self.user).await?;
        let role = if self.owner { TeamRole::Owner } else { TeamRole::Member };
        let before = member(&*directory, team.id, user.id).await?;
        let joined_at = before.as_ref().map_or_else(clock::now, |before| before.joined_at);
        let after = membership(&vault, team.id, user.id, role, joined_at);
        let deed = |action| {
            let deed = Deed::new(Doer::OPERATOR, action, "pool", team.id).of(user.id);
            deed.with("user", &user.name).with("role", role.name())
        };
        // The log before the grant.
        write_down(&*directory, &vault, deed("pool.member")).await?;
        let seating = directory.seat(before.as_ref(), after).await?;
        if seating != Seating::Done {
            write_down(&*directory, &vault, deed("pool.member_refused")).await?;
        }
        match seating {
            Seating::Done => {}
            Seating::LastOwner => return Err(last_owner(&user.name)),
            Seating::Full => return Err(too_many_teams(&user.name)),
            Seating::Stale => {
                let what = "the team's members changed meanwhile";
                return Err(Failure::other(what, "Try again."));
            }
        }
        if desk.json {
            let (pool, user) = (team.id, user.name);
            return print::json(&json!({ "pool": pool, "user": user, "role": role }));
        }
        let word = role.name();
        print::line(&format!("{} is {word} of pool {} `{}`", user.name, team.id, team.name))
    }
}

impl Remove {
    async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let (directory, vault) = desk.sealing().await?;
        let team = team(&*directory, &self.pool).await?;
        let user = user_named(&*directory, &self.user).await?;
        let accounts = directory.accounts_in(&[team.id], &desk.resets()).await?;
        let own = accounts.iter().find(|state| state.account.owner == user.id);
        if let Some(account) = own.map(|state| &state.account) {
            let (id, name) = (account.id, &account.name);
            let what = format!("account {id} `{name}` in that pool is of {}", user.name);
            return Err(Failure::other(what, format!("First: tributary account remove {id}")));
        }
        match directory.unseat(team.id, user.id).await? {
            Seating::Done => {}
            Seating::LastOwner => return Err(last_owner(&user.name)),
            _ => {
                let what = format!("{} is no member of pool {}", user.name, team.id);
                return Err(Failure::other(what, "`tributary pool list` shows them."));
            }
        }
        let deed = Deed::new(Doer::OPERATOR, "pool.leave", "pool", team.id).of(user.id);
        write_down(&*directory, &vault, deed.with("user", &user.name)).await?;
        if desk.json {
            let (pool, user) = (team.id, user.name);
            return print::json(&json!({ "pool": pool, "user": user, "removed": true }));
        }
        let (user, pool, name) = (user.name, team.id, team.name);
        print::line(&format!("{user} left pool {pool} `{name}`: it draws no more within 5 seconds"))
    }
}

impl List {
    async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let directory = desk.directory().await?;
        let team = team(&*directory, &self.pool).await?;
        let members = members(&*directory, &PoolOf::Team(team)).await?;
        if desk.json {
            let facts = members.iter().map(|(user, role)| json!({ "user": user, "role": role }));
            return print::json(&facts.collect::<Vec<_>>());
        }
        let row = |(user, role): (String, TeamRole)| [user, role.name().to_owned()];
        print::line(&table(["USER", "ROLE"], members.into_iter().map(row).collect()))
    }
}

async fn member(
    directory: &dyn Directory,
    pool: PoolId,
    user: UserId,
) -> Result<Option<Membership>, Failure> {
    let mut members = directory.memberships_of(user).await?;
    members.retain(|member| member.pool == pool);
    Ok(members.pop())
}

fn last_owner(user: &str) -> Failure {
    let what = format!("{user} is the team's last owner");
    Failure::other(what, "Make another one first: tributary pool member add POOL USER --owner")
}
