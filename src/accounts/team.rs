//! Teams: pools that several people draw from, and who belongs to them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PoolId, UserId};

/// A pool that a team shares. Everybody's personal pool is none: it has no row of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// The pool's id, counted with the personal ones.
    pub id: PoolId,
    /// Its name; other teams may be called the same.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a member may do.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TeamRole {
    /// Draw from the pool, and bring accounts to it.
    #[default]
    Member,
    /// Also say who belongs to it, and change or delete its accounts.
    Owner,
}

impl TeamRole {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Owner => "owner",
        }
    }
}

/// That somebody belongs to a team. It grants, so it carries a MAC: one who can only write
/// the store can't add himself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The team's pool.
    pub pool: PoolId,
    /// The member.
    pub user: UserId,
    /// What it may do.
    pub role: TeamRole,
    /// When it joined: what a token's pools are ordered by.
    pub joined_at: Timestamp,
    /// The MAC over all of that.
    pub mac: String,
}

impl Membership {
    /// How many members a team has at most.
    pub const MOST_MEMBERS: usize = 1000;
    /// How many teams somebody is in at most: a request looks into each.
    pub const MOST_TEAMS: usize = 50;
}

/// What became of a change of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seating {
    /// It is made.
    Done,
    /// The membership is not, or no longer, as the change takes it to be; or the team is gone.
    Stale,
    /// The team would have no owner.
    LastOwner,
    /// The team, or the user, has as many as it may.
    Full,
}

/// What became of a team that shall go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// It is gone, with its memberships.
    Done,
    /// It has accounts.
    HasAccounts,
    /// There is no such team.
    Unknown,
}
