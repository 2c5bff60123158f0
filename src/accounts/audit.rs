//! The audit log: who did what to which thing, row after row.
//!
//! Rows are added and never changed. Each carries a MAC that covers the row before it, so
//! that a row which was changed, taken out or put in is found. Details are plain facts (a
//! name, a limit), never a credential, a prompt or a platform's own words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{TokenId, UserId};

/// The longest detail, in characters: what is longer is cut.
const LONGEST_DETAIL: usize = 200;

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Who {
    /// A user.
    User(UserId),
    /// Whoever holds the key ring: the command line.
    Operator,
    /// The gateway by itself.
    Gateway,
}

/// With what it was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum By {
    /// A gateway token.
    Token(TokenId),
    /// A console session, by the id that its user sees.
    Session(String),
    /// The command line.
    CommandLine,
    /// The gateway by itself.
    Gateway,
}

/// Who does something, and with what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doer {
    /// Who.
    pub who: Who,
    /// With what.
    pub by: By,
}

impl Doer {
    /// A command of the operator's.
    pub const OPERATOR: Self = Self { who: Who::Operator, by: By::CommandLine };
    /// The gateway by itself.
    pub const GATEWAY: Self = Self { who: Who::Gateway, by: By::Gateway };

    /// A user with a gateway token.
    pub fn token(user: UserId, token: TokenId) -> Self {
        Self { who: Who::User(user), by: By::Token(token) }
    }

    /// A user in a console session.
    pub fn session(user: UserId, session: impl Into<String>) -> Self {
        Self { who: Who::User(user), by: By::Session(session.into()) }
    }
}

/// What was done: `account.bind`, on what, with which facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// Who did it, with what.
    #[serde(flatten)]
    pub doer: Doer,
    /// What: the kind of thing and a verb, as `token.create`.
    pub action: String,
    /// The kind of thing that it was done to.
    pub kind: String,
    /// Which one.
    pub id: String,
    /// Whose that is: it shows in this user's log, too.
    pub whose: Option<UserId>,
    /// Facts.
    pub details: BTreeMap<String, String>,
}

impl Deed {
    /// A deed on a thing of some kind.
    pub fn new(doer: Doer, action: &str, kind: &str, id: impl fmt::Display) -> Self {
        Self {
            doer,
            action: action.into(),
            kind: kind.into(),
            id: id.to_string(),
            whose: None,
            details: BTreeMap::new(),
        }
    }

    /// On a thing of this user's.
    #[must_use]
    pub fn of(mut self, user: UserId) -> Self {
        self.whose = Some(user);
        self
    }

    /// With a fact; never a secret.
    #[must_use]
    pub fn with(mut self, name: &str, fact: impl fmt::Display) -> Self {
        let fact = fact.to_string().chars().take(LONGEST_DETAIL).collect();
        self.details.insert(name.into(), fact);
        self
    }

    /// With a fact, where there is one.
    #[must_use]
    pub fn with_some(self, name: &str, fact: Option<impl fmt::Display>) -> Self {
        match fact {
            Some(fact) => self.with(name, fact),
            None => self,
        }
    }

    /// In whose logs it shows: whose thing it is, and who did it.
    pub fn readers(&self) -> BTreeSet<UserId> {
        let doer = match self.doer.who {
            Who::User(user) => Some(user),
            Who::Operator | Who::Gateway => None,
        };
        self.whose.into_iter().chain(doer).collect()
    }
}

/// One row of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Its number: one more than the row's before.
    pub seq: i64,
    /// When, by the store's clock, to the millisecond.
    pub at: Timestamp,
    /// What was done.
    #[serde(flatten)]
    pub deed: Deed,
    /// The MAC of the row before; empty for the first of all.
    pub before: String,
    /// The MAC over all of this.
    pub mac: String,
}

/// Where the log ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// The last row's number; 0 where there is none.
    pub seq: i64,
    /// Its MAC; empty where there is none.
    pub mac: String,
    /// The store's time.
    pub now: Timestamp,
}

/// A text that names nobody who could have done something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it names nobody")]
pub struct Nobody;

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::Operator => f.write_str("operator"),
            Self::Gateway => f.write_str("gateway"),
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(token) => write!(f, "token:{token}"),
            Self::Session(session) => write!(f, "session:{session}"),
            Self::CommandLine => f.write_str("cli"),
            Self::Gateway => f.write_str("gateway"),
        }
    }
}

impl FromStr for Who {
    type Err = Nobody;

    fn from_str(text: &str) -> Result<Self, Nobody> {
        match text.split_once(':') {
            None if text == "operator" => Ok(Self::Operator),
            None if text == "gateway" => Ok(Self::Gateway),
            Some(("user", id)) => id.parse().map(UserId).map(Self::User).map_err(|_| Nobody),
            _ => Err(Nobody),
        }
    }
}

impl FromStr for By {
    type Err = Nobody;

    fn from_str(text: &str) -> Result<Self, Nobody> {
        match text.split_once(':') {
            None if text == "cli" => Ok(Self::CommandLine),
            None if text == "gateway" => Ok(Self::Gateway),
            Some(("token", id)) => id.parse().map(TokenId).map(Self::Token).map_err(|_| Nobody),
            Some(("session", id)) => Ok(Self::Session(id.into())),
            _ => Err(Nobody),
        }
    }
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl TryFrom<String> for $name {
            type Error = Nobody;

            fn try_from(text: String) -> Result<Self, Nobody> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}

as_text! { Who By }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_and_by_are_read_as_they_are_written() {
        for who in [Who::User(UserId(7)), Who::Operator, Who::Gateway] {
            assert_eq!(who.to_string().parse(), Ok(who));
        }
        for by in [By::Token(TokenId(3)), By::Session("ab:c".into()), By::CommandLine, By::Gateway]
        {
            assert_eq!(by.to_string().parse(), Ok(by));
        }
        for nobody in ["", "user:", "user:x", "cli:1", "nobody"] {
            assert_eq!(nobody.parse::<Who>(), Err(Nobody), "{nobody}");
            assert_eq!(nobody.parse::<By>(), Err(Nobody), "{nobody}");
        }
    }

    #[test]
    fn a_deed_shows_to_whose_it_is_and_to_who_did_it() {
        let deed = |doer| Deed::new(doer, "account.check", "account", 5);
        assert!(deed(Doer::OPERATOR).readers().is_empty());
        let of_ann = deed(Doer::OPERATOR).of(UserId(1)).readers();
        assert_eq!(of_ann, BTreeSet::from([UserId(1)]));
        let by_ben = deed(Doer::token(UserId(2), TokenId(9))).of(UserId(1)).readers();
        assert_eq!(by_ben, BTreeSet::from([UserId(1), UserId(2)]));
    }

    #[test]
    fn a_long_detail_is_cut() {
        let deed = Deed::new(Doer::GATEWAY, "x.y", "x", 1).with("name", "ü".repeat(500));
        assert_eq!(deed.details["name"].chars().count(), LONGEST_DETAIL);
    }
}
