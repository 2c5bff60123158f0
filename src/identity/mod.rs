//! People: what proves who they are, and what may be believed of their rows.
//!
//! | file | idea |
//! | --- | --- |
//! | `settings` | `[passwords]` |
//! | `password` | hashing and checking, two at a time |
//! | `standing` | the MAC over what a user may do, and changing it |
//! | `limits` | how often a sign-in may be tried |
//! | `sessions` | signing in, and finding a session again |
//! | `links` | one-time links: the first operator, a new password |
//! | `subjects` | who an OpenID provider says that somebody is |

mod limits;
mod links;
mod password;
mod sessions;
mod settings;
mod standing;
mod subjects;

use std::sync::Arc;

use limits::Limits;

use crate::accounts::{Deed, Identity, User};
use crate::store::{Answer, Store, StoreError, write_down};
use crate::telemetry::clock;
use crate::vault::Vault;

pub use links::LINK_LIFE;
pub use password::{LONGEST_PASSWORD, NoHash, Passwords, SHORTEST_PASSWORD, Verdict, is_password};
pub use sessions::{LIFE, SignIn, SignedIn, Started};
pub use settings::Settings;
pub use standing::{
    Changed, change, change_but_the_last_operator, identity_of, is_trusted, may_act,
    prove_users_anew, proved,
};
pub use subjects::Returning;

/// The longest name of a user, in characters.
pub const LONGEST_USER_NAME: usize = 64;

/// Whether a text may be a user's name: one line, without space around it.
pub fn is_user_name(text: &str) -> bool {
    let length = text.chars().count();
    (1..=LONGEST_USER_NAME).contains(&length)
        && text.trim() == text
        && !text.chars().any(char::is_control)
}

/// How browsers hold a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CookieStyle {
    /// For encrypted connections alone, and this very host.
    #[default]
    Secure,
    /// For trying out on a loopback address, whose browsers may take no other.
    Plain,
}

/// Why nobody is signed in, or no password is changed.
#[derive(Debug, thiserror::Error)]
pub enum NoEntry {
    /// The name or the password is wrong, or the user is disabled.
    #[error("the name or the password is wrong")]
    Wrong,
    /// It was tried too often.
    #[error("it was tried too often")]
    TooOften {
        /// How long to wait.
        wait: std::time::Duration,
    },
    /// The link is not known, has ended or was used.
    #[error("the link is not known, has ended or was used")]
    NoLink,
    /// Nobody here is known by the provider's subject, and nobody is made.
    #[error("nobody is known by what the provider says")]
    Unknown,
    /// Another user is known by the provider's subject.
    #[error("another user is known by what the provider says")]
    Connected,
    /// There is a user of that name.
    #[error("there is already a user of that name")]
    Taken,
    /// No hash.
    #[error(transparent)]
    Hash(#[from] NoHash),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no random bytes.
    #[error("the operating system gives no random bytes: {0}")]
    NoRandom(#[from] getrandom::Error),
}

/// What signing in needs.
pub struct People {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    passwords: Passwords,
    limits: Limits,
    /// How browsers hold a session.
    pub cookies: CookieStyle,
}

impl People {
    /// The people of a store.
    pub fn new(
        store: Arc<dyn Store>,
        vault: Arc<Vault>,
        settings: &Settings,
        cookies: CookieStyle,
    ) -> Self {
        let (passwords, limits) = (Passwords::new(settings), Limits::default());
        Self { store, vault, passwords, limits, cookies }
    }

    /// A user that is in no store yet: its ids are reserved, its identity is proved for them.
    async fn newcomer(&self, name: &str, identity: Identity) -> Answer<User> {
        let user = User {
            id: self.store.reserve_user_id().await?,
            name: name.to_owned(),
            pool: self.store.reserve_pool_id().await?,
            created_at: clock::now(),
            identity: Identity::default(),
        };
        Ok(User { identity: proved(&self.vault, &user, identity), ..user })
    }

    /// Adds it, all at once: should the gateway end half way, its name is not taken.
    async fn enrol(&self, newcomer: &User) -> Result<(), NoEntry> {
        self.store.enrol(newcomer.clone()).await.map_err(|error| match error {
            StoreError::Taken(_) => NoEntry::Taken,
            error => error.into(),
        })
    }

    async fn write_down(&self, deed: Deed) -> Answer<()> {
        write_down(&*self.store, &self.vault, deed).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_line_of_text() {
        let long = "字".repeat(LONGEST_USER_NAME);
        for name in ["a", "Ann B.", &long] {
            assert!(is_user_name(name));
        }
        for name in ["", " a", "a ", "a\nb", &format!("{long}字")] {
            assert!(!is_user_name(name), "{name:?}");
        }
    }
}
