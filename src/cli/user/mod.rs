//! `tributary user …`: the people who bind accounts and call.

mod add;
mod edit;
mod list;
mod password;

pub(super) use add::add;

use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use super::{Desk, Failure};
use crate::accounts::{self, PoolId, UserId, UserRole};

/// The people who bind accounts and call.
#[derive(Debug, Subcommand)]
pub(super) enum User {
    Add(add::Add),
    List(list::List),
    Role(edit::Role),
    Password(password::Password),
    Disable(edit::Disable),
    Enable(edit::Enable),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleWord {
    /// Binds accounts and calls.
    Member,
    /// Also adds users, disables them, and grants points.
    Operator,
}

impl User {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(desk).await,
            Self::List(list) => list.run(desk).await,
            Self::Role(role) => role.run(desk).await,
            Self::Password(password) => password.run(desk).await,
            Self::Disable(disable) => disable.run(desk).await,
            Self::Enable(enable) => enable.run(desk).await,
        }
    }
}

impl From<RoleWord> for UserRole {
    fn from(word: RoleWord) -> Self {
        match word {
            RoleWord::Member => Self::Member,
            RoleWord::Operator => Self::Operator,
        }
    }
}

/// A user's facts, without its hash.
#[derive(Serialize)]
struct Facts<'u> {
    id: UserId,
    name: &'u str,
    pool: PoolId,
    role: UserRole,
    enabled: bool,
    has_password: bool,
    created_at: jiff::Timestamp,
}

impl<'u> Facts<'u> {
    fn of(user: &'u accounts::User) -> Self {
        Self {
            id: user.id,
            name: &user.name,
            pool: user.pool,
            role: user.identity.role,
            enabled: user.identity.disabled_at.is_none(),
            has_password: user.identity.password.is_some(),
            created_at: user.created_at,
        }
    }
}
