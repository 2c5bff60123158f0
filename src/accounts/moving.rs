//! Moving an account to another pool.

use serde::{Deserialize, Serialize};

use super::{Account, PoolId};
use crate::vault::SealedCredential;

/// What became of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moving {
    /// The account is in the other pool.
    Done,
    /// Requests are under way on it.
    Busy,
    /// The account is not, or no longer, what the move takes it to be.
    Stale,
}

impl Account {
    /// The account as it lies in another pool, but for its seal: its credential is of another
    /// generation there, and none of its short-lived keys opens.
    #[must_use]
    pub fn bound_for(&self, pool: PoolId) -> Self {
        let generation = self.generation.saturating_add(1);
        Self { pool, generation, short_key: None, ..self.clone() }
    }

    /// The same with its seal.
    #[must_use]
    pub fn sealed_as(self, sealed: SealedCredential) -> Self {
        Self { sealed, ..self }
    }
}
