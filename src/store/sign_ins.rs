//! What signing in needs: console sessions, one-time links, and counts of tries.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::Answer;
use crate::accounts::{AttemptKey, LinkPurpose, LinkRow, SessionRow, UserId};

/// Sessions of a user at most; the one that was longest unused goes first.
pub const MOST_SESSIONS: usize = 50;

/// Sessions, links and tries.
#[async_trait]
pub trait SignIns: Send + Sync + 'static {
    /// Adds a session; the user's that have ended go, and so do those past [`MOST_SESSIONS`].
    async fn add_session(&self, row: SessionRow) -> Answer<()>;
    /// A session by its keyed index.
    async fn session(&self, index: &str) -> Answer<Option<SessionRow>>;
    /// Says when a session was used. One that has gone stays so.
    async fn touch_session(&self, index: &str, at: Timestamp) -> Answer<()>;
    /// A user's sessions, oldest first.
    async fn sessions_of(&self, user: UserId) -> Answer<Vec<SessionRow>>;
    /// Ends a user's session at once; `false`: it has none of that id.
    async fn end_session(&self, user: UserId, id: &str) -> Answer<bool>;

    /// Keeps a one-time link in the place of the one that its purpose had.
    async fn keep_link(&self, row: LinkRow) -> Answer<()>;
    /// The link of a purpose.
    async fn link(&self, purpose: LinkPurpose) -> Answer<Option<LinkRow>>;
    /// Uses a link up: of all who try, one is answered `true`.
    async fn take_link(&self, row: &LinkRow) -> Answer<bool>;

    /// Counts one try of a sign-in, for all gateways together, or answers how long to wait
    /// ([`crate::accounts::Attempts`]).
    async fn try_sign_in(&self, key: &AttemptKey) -> Answer<Result<(), Duration>>;
    /// Takes a try back that succeeded.
    async fn signed_in(&self, key: &AttemptKey) -> Answer<()>;
}
