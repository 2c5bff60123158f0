//! Console sessions and one-time links, as they lie in the store: by a keyed hash, never
//! their secret.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::UserId;

/// What a session's row grants; its MAC covers every field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionGrant {
    /// What its owner knows it by.
    pub id: String,
    /// Who signed in.
    pub user: UserId,
    /// The user's epoch then: with another one it is void.
    pub epoch: i64,
    /// When that was.
    pub created_at: Timestamp,
    /// When it ends, however much it is used.
    pub ends_at: Timestamp,
}

/// A console session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// The keyed hash that finds it, with the id of its key.
    pub index: String,
    /// What it grants.
    pub grant: SessionGrant,
    /// The MAC over the grant and the index.
    pub mac: String,
    /// When it was last used, to the minute.
    pub used_at: Timestamp,
    /// What the browser said of itself, for its owner to know it by.
    pub agent: String,
}

/// What a one-time link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkPurpose {
    /// To make the first operator.
    Setup,
    /// To give this user a password.
    Password(UserId),
}

impl LinkPurpose {
    /// Of one purpose there is one link at a time: the newest.
    pub fn slot(self) -> String {
        match self {
            Self::Setup => "setup".to_owned(),
            Self::Password(user) => format!("password:{user}"),
        }
    }
}

/// A one-time link. Its MAC covers every field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRow {
    /// The keyed hash that finds it, with the id of its key.
    pub index: String,
    /// What it is for.
    pub purpose: LinkPurpose,
    /// When it ends, used or not.
    pub ends_at: Timestamp,
    /// The MAC over all of it.
    pub mac: String,
}
