//! The pool that a command is about: a team's, by its name or id, or a user's own.

use crate::accounts::{PoolId, Team, User};
use crate::cli::Failure;
use crate::store::Directory;

/// A pool, with whose it is.
#[derive(Clone, Debug)]
pub(in crate::cli) enum PoolOf {
    Person(User),
    Team(Team),
}

impl PoolOf {
    pub(in crate::cli) fn id(&self) -> PoolId {
        match self {
            Self::Person(user) => user.pool,
            Self::Team(team) => team.id,
        }
    }

    /// What people call it.
    pub(in crate::cli) fn name(&self) -> &str {
        match self {
            Self::Person(user) => &user.name,
            Self::Team(team) => &team.name,
        }
    }

    pub(in crate::cli) fn kind(&self) -> &'static str {
        match self {
            Self::Person(_) => "personal",
            Self::Team(_) => "team",
        }
    }
}

/// Finds a pool by its id, a team's name, or the name of the user whose own it is.
pub(in crate::cli) async fn find(directory: &dyn Directory, text: &str) -> Result<PoolOf, Failure> {
    let mut found: Vec<PoolOf> =
        all(directory).await?.into_iter().filter(|pool| pool.name() == text).collect();
    if found.is_empty() {
        let id = text.parse().ok().map(PoolId);
        found = all(directory).await?.into_iter().filter(|pool| Some(pool.id()) == id).collect();
    }
    let pool = found.pop();
    if !found.is_empty() {
        let what = format!("several pools are named `{text}`");
        return Err(Failure::usage(what, "Give the id; `tributary pool list` shows it."));
    }
    pool.ok_or_else(|| {
        Failure::other(format!("there is no pool `{text}`"), "`tributary pool list` shows all.")
    })
}

/// Every pool: people's own, then teams'.
pub(super) async fn all(directory: &dyn Directory) -> Result<Vec<PoolOf>, Failure> {
    let people = directory.users().await?.into_iter().map(PoolOf::Person);
    let teams = directory.teams().await?.into_iter().map(PoolOf::Team);
    Ok(people.chain(teams).collect())
}

/// A team's pool.
pub(super) async fn team(directory: &dyn Directory, text: &str) -> Result<Team, Failure> {
    match find(directory, text).await? {
        PoolOf::Team(team) => Ok(team),
        PoolOf::Person(user) => {
            let what = format!("pool {} is the personal one of `{}`", user.pool, user.name);
            Err(Failure::usage(what, "Name a team's; `tributary pool add` makes one."))
        }
    }
}

/// The pools of some users: their own, and their teams.
pub(in crate::cli) async fn pools_of(
    directory: &dyn Directory,
    users: &[User],
) -> Result<Vec<PoolId>, Failure> {
    let mut pools: Vec<_> = users.iter().map(|user| user.pool).collect();
    for user in users {
        let memberships = directory.memberships_of(user.id).await?;
        pools.extend(memberships.iter().map(|membership| membership.pool));
    }
    pools.sort();
    pools.dedup();
    Ok(pools)
}

/// A pool that a user draws from.
pub(in crate::cli) async fn joined(
    directory: &dyn Directory,
    user: &User,
    name: &str,
) -> Result<PoolId, Failure> {
    let pool = find(directory, name).await?;
    let is_own = match &pool {
        PoolOf::Person(person) => person.id == user.id,
        PoolOf::Team(team) => {
            let memberships = directory.memberships_of(user.id).await?;
            memberships.iter().any(|membership| membership.pool == team.id)
        }
    };
    if is_own {
        return Ok(pool.id());
    }
    let what = format!("{} does not draw from pool {} `{}`", user.name, pool.id(), pool.name());
    Err(Failure::other(what, "First: tributary pool member add POOL USER"))
}
