//! Teams: pools that several people draw from.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::verb::to_json;
use super::{Answer, Directory};
use crate::accounts::{Closing, Membership, PoolId, Seating, Team, User, UserId};

/// What people do with teams.
#[async_trait]
pub trait Teams: Send + Sync + 'static {
    /// A pool id that nobody else gets; memberships' MACs are bound to it.
    async fn reserve_pool_id(&self) -> Answer<PoolId>;
    /// Founds a team with its first member, an owner. [`Seating::Full`]: it has as many teams
    /// as it may. `StoreError::Taken` when there is a team of that id.
    async fn found_team(&self, team: Team, founder: Membership) -> Answer<Seating>;
    /// Every team, by id.
    async fn teams(&self) -> Answer<Vec<Team>>;
    /// Those of these that are teams, by id.
    async fn teams_among(&self, pools: &[PoolId]) -> Answer<Vec<Team>>;
    /// Gives a team another name. `None`: there is no such team.
    async fn rename_team(&self, pool: PoolId, name: &str) -> Answer<Option<()>>;
    /// Ends a team that has no account, with its memberships. An account that is being bound
    /// to it meanwhile is refused, or found. Safe to repeat when it failed.
    async fn close_team(&self, pool: PoolId) -> Answer<Closing>;

    /// A team's members, in the order of joining.
    async fn members_of(&self, pool: PoolId) -> Answer<Vec<Membership>>;
    /// Everybody who ever was a member of a team, by id.
    async fn ever_members_of(&self, pool: PoolId) -> Answer<Vec<UserId>>;
    /// A user's memberships, in the order of joining.
    async fn memberships_of(&self, user: UserId) -> Answer<Vec<Membership>>;
    /// Writes a membership where `before` is what is there (by its MAC; `None`: nothing).
    /// The last owner stays one. Safe to repeat when it failed.
    async fn seat(&self, before: Option<&Membership>, membership: Membership) -> Answer<Seating>;
    /// Ends a membership, unless it is the last owner's. [`Seating::Stale`]: there is none.
    async fn unseat(&self, pool: PoolId, user: UserId) -> Answer<Seating>;

    /// Those of these users that there are, by id.
    async fn users_among(&self, users: &[UserId]) -> Answer<Vec<User>>;
}

/// One call of [`Teams`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "of_teams", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the method of that name")]
pub enum TeamVerb {
    ReservePoolId,
    FoundTeam { team: Team, founder: Membership },
    Teams,
    TeamsAmong { pools: Vec<PoolId> },
    RenameTeam { pool: PoolId, name: String },
    CloseTeam { pool: PoolId },
    MembersOf { pool: PoolId },
    EverMembersOf { pool: PoolId },
    MembershipsOf { user: UserId },
    Seat { before: Option<Membership>, membership: Membership },
    Unseat { pool: PoolId, user: UserId },
    UsersAmong { users: Vec<UserId> },
}

impl TeamVerb {
    pub(super) async fn answer(self, directory: &dyn Directory) -> Answer<Value> {
        match self {
            Self::ReservePoolId => to_json(directory.reserve_pool_id().await?),
            Self::FoundTeam { team, founder } => {
                to_json(directory.found_team(team, founder).await?)
            }
            Self::Teams => to_json(directory.teams().await?),
            Self::TeamsAmong { pools } => to_json(directory.teams_among(&pools).await?),
            Self::RenameTeam { pool, name } => {
                to_json(directory.rename_team(pool, &name).await?.is_some())
            }
            Self::CloseTeam { pool } => to_json(directory.close_team(pool).await?),
            Self::MembersOf { pool } => to_json(directory.members_of(pool).await?),
            Self::EverMembersOf { pool } => to_json(directory.ever_members_of(pool).await?),
            Self::MembershipsOf { user } => to_json(directory.memberships_of(user).await?),
            Self::Seat { before, membership } => {
                to_json(directory.seat(before.as_ref(), membership).await?)
            }
            Self::Unseat { pool, user } => to_json(directory.unseat(pool, user).await?),
            Self::UsersAmong { users } => to_json(directory.users_among(&users).await?),
        }
    }
}
