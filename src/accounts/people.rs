//! Users and the gateway tokens that they call with.

use std::num::NonZeroU32;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Identity, PoolId, TokenId, Tokens, UserId};

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
    /// What it may do, and what it signs in with.
    #[serde(default, skip_serializing_if = "Identity::is_blank")]
    pub identity: Identity,
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

/// Whether a token's calls may cost points; the stricter one comes later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spending {
    /// When no bound account has quota left.
    #[default]
    Fallback,
    /// Never.
    Never,
}

impl Spending {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// What a token's row grants. Its MAC covers every field, so that one who can only
/// write the store can't mint or widen a token. Fields that came later are left out of
/// the row where they limit nothing: the MACs of older rows hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenGrant {
    /// The token's id.
    pub id: TokenId,
    /// Whose it is.
    pub user: UserId,
    /// Its user's personal pool. It is written as a list of one, which it was.
    #[serde(rename = "pools", with = "list_of_one")]
    pub personal: PoolId,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The model names that it may call; empty: every one.
    pub models: Vec<String>,
    /// The platforms that it may reach; empty: every one.
    pub platforms: Vec<String>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Whether its calls may cost points.
    #[serde(default, skip_serializing_if = "Spending::is_usual")]
    pub points: Spending,
    /// How many requests it may make a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<NonZeroU32>,
    /// How many tokens it may use a day (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_day: Option<Tokens>,
    /// Whether requests and answers are kept with its records, sealed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_bodies: bool,
    /// The pools that it draws from, in order, and no others. `None`: from the personal one,
    /// then from its user's teams in the order of joining. Of a team that its user is not in
    /// it has nothing, whatever this says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_pools: Option<Vec<PoolId>>,
}

mod list_of_one {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::PoolId;

    pub(super) fn serialize<S: Serializer>(pool: &PoolId, to: S) -> Result<S::Ok, S::Error> {
        [pool].serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PoolId, D::Error> {
        <[PoolId; 1]>::deserialize(from).map(|[pool]| pool)
    }
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
    /// The index that it was made with, where it has another one since: what it uses of its
    /// rate and its day is counted there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_index: Option<String>,
}

impl GatewayTokenRow {
    /// The index that its rate and its day are counted under: the first that it had.
    pub fn counting_index(&self) -> &str {
        self.first_index.as_deref().unwrap_or(&self.index)
    }

    /// Makes the row useless for good: the MAC covers the grant alone, so one who can only
    /// write the store could take a time of revoking away again.
    pub fn revoke(&mut self, at: Timestamp) {
        if self.revoked_at.is_none() {
            self.revoked_at = Some(at);
        }
        self.mac = "revoked".into();
    }
}

/// That a token was used, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenUse {
    /// Whose token.
    pub user: UserId,
    /// Which.
    pub token: TokenId,
    /// When.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_without_limits_is_written_as_before_there_were_any() {
        let old = r#"{"id":1,"user":2,"pools":[3],"scopes":["chat"],"models":[],"platforms":[],"expires_at":null}"#;
        let grant: TokenGrant = serde_json::from_str(old).unwrap();
        assert_eq!(grant.points, Spending::Fallback);
        assert_eq!(serde_json::to_string(&grant).unwrap(), old);
        let limited = TokenGrant {
            points: Spending::Never,
            requests_per_minute: NonZeroU32::new(1),
            tokens_per_day: Some(Tokens(2)),
            keep_bodies: true,
            only_pools: Some(vec![PoolId(4), PoolId(3)]),
            ..grant
        };
        let text = serde_json::to_string(&limited).unwrap();
        let limits = r#","points":"never","requests_per_minute":1,"tokens_per_day":2,"keep_bodies":true,"only_pools":[4,3]}"#;
        assert!(text.ends_with(limits), "{text}");
    }
}
