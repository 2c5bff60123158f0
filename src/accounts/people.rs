//! Users and the gateway tokens that they call with.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{PoolId, TokenId, UserId};

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its name; unique.
    pub name: String,
    /// Its personal pool.
    pub pool: PoolId,
    /// When it was added.
    pub created_at: Timestamp,
}

/// What a gateway token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Call models.
    #[serde(rename = "chat")]
    Chat,
    /// See accounts.
    #[serde(rename = "accounts:read")]
    AccountsRead,
    /// Bind and change accounts.
    #[serde(rename = "accounts:write")]
    AccountsWrite,
}

/// What a token's row grants. Its MAC covers every field, so that one who can only
/// write the store can't mint or widen a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenGrant {
    /// The token's id.
    pub id: TokenId,
    /// Whose it is.
    pub user: UserId,
    /// The pools that it draws from, in order.
    pub pools: Vec<PoolId>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The model names that it may call; empty: every one.
    pub models: Vec<String>,
    /// The platforms that it may reach; empty: every one.
    pub platforms: Vec<String>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// A gateway token as it lies in the store: by its keyed index, never its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayTokenRow {
    /// The keyed hash that finds it, with the id of its key.
    pub index: String,
    /// What it grants.
    pub grant: TokenGrant,
    /// The MAC over the grant and the index.
    pub mac: String,
    /// The name that its owner gave it.
    pub name: String,
    /// Its first characters, for display.
    pub prefix: String,
    /// Its last four characters, for display.
    pub last_four: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl GatewayTokenRow {
    /// Makes the row useless for good: the MAC covers the grant alone, so one who can only
    /// write the store could take a time of revoking away again.
    pub fn revoke(&mut self, at: Timestamp) {
        if self.revoked_at.is_none() {
            self.revoked_at = Some(at);
        }
        self.mac = "revoked".into();
    }
}
