//! What a user may do, and how it proves to be that user.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a user is to the gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserRole {
    /// Binds accounts and calls.
    #[default]
    Member,
    /// Also adds users, disables them, and grants points.
    Operator,
}

impl UserRole {
    /// Its word, as it is stored and shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Operator => "operator",
        }
    }
}

/// A password as it is kept: its hash, as a PHC string. It is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(***)")
    }
}

/// Whom an OpenID provider knows a person as. It is what the provider promises never to give
/// to another: an e-mail address or a name it may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The provider, by its issuer's URL.
    pub issuer: String,
    /// The person there.
    pub subject: String,
}

/// What grants something of a user. Its MAC covers every field, and the user's id, name and
/// pool: one who can only write the store can make no operator, and sign in as nobody.
///
/// A user for whom nothing was set yet has a blank one, without a MAC: an enabled member that
/// can't sign in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// What the user is.
    pub role: UserRole,
    /// Since when it may neither sign in nor use its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// What it signs in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordHash>,
    /// Whom it signs in as at an OpenID provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<Subject>,
    /// Counts what ends all sessions of before: another password, another role, a disabling.
    pub epoch: i64,
    /// The MAC over all of it.
    pub mac: String,
}

impl Identity {
    /// Whether nothing was ever set.
    pub fn is_blank(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it is an operator that may sign in.
    pub fn is_acting_operator(&self) -> bool {
        self.role == UserRole::Operator && self.disabled_at.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_a_user_shows_no_hash() {
        let password = Some(PasswordHash("$argon2id$secret".into()));
        let identity = Identity { password, ..Identity::default() };
        assert!(!format!("{identity:?}").contains("secret"));
        let text = serde_json::to_string(&identity).unwrap();
        assert_eq!(serde_json::from_str::<Identity>(&text).unwrap(), identity);
        assert!(!identity.is_blank() && Identity::default().is_blank());
    }
}
