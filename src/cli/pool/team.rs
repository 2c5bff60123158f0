//! `tributary pool add|rename|remove`: teams come and go.

use clap::Args;
use serde_json::json;

use super::which::{PoolOf, team};
use crate::accounts::{Closing, Deed, Doer, Membership, Seating, Team, TeamRole};
use crate::authorize::{LONGEST_NAME, is_name};
use crate::cli::desk::user_named;
use crate::cli::{Desk, Failure, print};
use crate::relay::membership;
use crate::store::write_down;
use crate::telemetry::clock;

/// Add a pool that a team shares.
#[derive(Debug, Args)]
pub(in crate::cli) struct Add {
    /// What to call it.
    name: String,
    /// Its first member, who owns it.
    #[arg(long, value_name = "USER")]
    owner: String,
}

/// Give a team's pool another name.
#[derive(Debug, Args)]
pub(in crate::cli) struct Rename {
    /// The team's name or its pool's id.
    pool: String,
    /// What to call it.
    name: String,
}

/// Remove a team's pool that has no account any more.
#[derive(Debug, Args)]
pub(in crate::cli) struct Remove {
    /// The team's name or its pool's id.
    pool: String,
}

impl Add {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        check(&self.name)?;
        let (directory, vault) = desk.sealing().await?;
        let owner = user_named(&*directory, &self.owner).await?;
        let (id, now) = (directory.reserve_pool_id().await?, clock::now());
        let founder = membership(&vault, id, owner.id, TeamRole::Owner, now);
        let team = Team { id, name: self.name, created_at: now };
        let deed = |action| {
            Deed::new(Doer::OPERATOR, action, "pool", id).of(owner.id).with("name", &team.name)
        };
        // The log before the grant.
        write_down(&*directory, &vault, deed("pool.create")).await?;
        match directory.found_team(team.clone(), founder).await? {
            Seating::Done => {}
            _ => {
                write_down(&*directory, &vault, deed("pool.create_refused")).await?;
                return Err(too_many_teams(&owner.name));
            }
        }
        if desk.json {
            let members = [(owner.name, TeamRole::Owner)];
            return print::json(&super::list::facts(&PoolOf::Team(team), &members));
        }
        let (name, owner) = (team.name, owner.name);
        print::line(&format!("pool {id} `{name}` added, owned by {owner}"))
    }
}

impl Rename {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        check(&self.name)?;
        let (directory, vault) = desk.sealing().await?;
        let team = team(&*directory, &self.pool).await?;
        if directory.rename_team(team.id, &self.name).await?.is_none() {
            return Err(Failure::other("the team is gone", "`tributary pool list` shows all."));
        }
        let deed = Deed::new(Doer::OPERATOR, "pool.change", "pool", team.id);
        write_down(&*directory, &vault, deed.with("to_name", &self.name)).await?;
        if desk.json {
            return print::json(&json!({ "id": team.id, "name": self.name }));
        }
        print::line(&format!("pool {} is called `{}`", team.id, self.name))
    }
}

impl Remove {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let (directory, vault) = desk.sealing().await?;
        let team = team(&*directory, &self.pool).await?;
        match directory.close_team(team.id).await? {
            Closing::Done | Closing::Unknown => {}
            Closing::HasAccounts => {
                let what = format!("pool {} `{}` has accounts", team.id, team.name);
                return Err(Failure::other(what, "Remove them first: tributary account list"));
            }
        }
        let deed = Deed::new(Doer::OPERATOR, "pool.delete", "pool", team.id);
        write_down(&*directory, &vault, deed.with("name", &team.name)).await?;
        if desk.json {
            return print::json(&json!({ "id": team.id, "name": team.name, "removed": true }));
        }
        print::line(&format!("pool {} `{}` is removed", team.id, team.name))
    }
}

fn check(name: &str) -> Result<(), Failure> {
    if is_name(name) {
        return Ok(());
    }
    let what = format!("a pool's name is one line of text, {LONGEST_NAME} characters at most");
    Err(Failure::usage(what, "Give another NAME."))
}

pub(super) fn too_many_teams(user: &str) -> Failure {
    let what = format!("`{user}` is in {} teams, or the team is full", Membership::MOST_TEAMS);
    Failure::other(what, "Remove it from another first: tributary pool member remove")
}
