//! A call's request and answer, for its record, where its token keeps them.

use std::sync::Arc;

use bytes::Bytes;

use crate::accounts::{KeptBodies, UserId};
use crate::vault::{Said, Vault};

/// What is kept of a call in progress.
pub(super) struct Kept {
    vault: Arc<Vault>,
    /// Of each body, in bytes.
    most: usize,
    request: Bytes,
    response: Vec<u8>,
    cut: bool,
}

impl Kept {
    /// Keeps a request, up to so many bytes.
    pub(super) fn new(vault: &Arc<Vault>, most: usize, request: &Bytes) -> Self {
        let beginning = request.slice(..request.len().min(most));
        let cut = request.len() > most;
        Self { vault: vault.clone(), most, request: beginning, response: Vec::new(), cut }
    }

    /// Keeps a piece of the answer.
    pub(super) fn answered(&mut self, piece: &[u8]) {
        let room = self.most - self.response.len();
        self.cut |= piece.len() > room;
        self.response.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    /// Seals it to its record. `None` when the system gives no random bytes: a record
    /// without bodies is better than none.
    pub(super) fn seal(&self, user: UserId, record: &str) -> Option<KeptBodies> {
        let seal = |said, words| self.vault.seal_words(user.0, record, said, words).ok();
        Some(KeptBodies {
            request: seal(Said::Request, &self.request)?,
            response: seal(Said::Response, &self.response)?,
            cut: self.cut,
        })
    }
}
