//! A call's request and answer, for its record, where its token keeps them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::accounts::{KeptBodies, Record, UserId};
use crate::telemetry::Metrics;
use crate::vault::{Said, Vault};

/// So many bytes of bodies may wait for the store together. While it does not take them, what
/// was said is let go before a count is.
const MOST_WAITING: usize = 64 << 20;

/// What is kept of a call in progress.
pub(super) struct Kept {
    vault: Arc<Vault>,
    pub(super) metrics: Arc<Metrics>,
    /// Of each body, in bytes.
    most: usize,
    request: Bytes,
    response: Vec<u8>,
    cut: bool,
}

impl Kept {
    /// Keeps a request, up to so many bytes.
    pub(super) fn new(
        vault: &Arc<Vault>,
        metrics: &Arc<Metrics>,
        most: usize,
        request: &Bytes,
    ) -> Self {
        // A copy: a slice would keep the whole body for as long as the stream flows.
        let beginning = Bytes::copy_from_slice(request.get(..most).unwrap_or(request));
        let cut = request.len() > most;
        let (vault, metrics) = (vault.clone(), metrics.clone());
        Self { vault, metrics, most, request: beginning, response: Vec::new(), cut }
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

/// How many bytes of bodies wait for the store.
#[derive(Clone, Default)]
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    /// Whether there is room for so many bytes more; then they count until they are gone.
    pub(super) fn admits(&self, bytes: usize) -> bool {
        let more = |waiting: usize| waiting.checked_add(bytes).filter(|all| *all <= MOST_WAITING);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// So many that were admitted wait no more.
    pub(super) fn gone(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// How long a record's bodies are.
pub(super) fn bytes_of(record: &Record) -> usize {
    record.bodies.as_ref().map_or(0, KeptBodies::bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::KeyRing;

    #[test]
    fn a_long_request_is_not_held_for_its_beginning() {
        let ring = KeyRing::generate().unwrap().to_string();
        let vault = Arc::new(Vault::new(&KeyRing::parse(&ring).unwrap()));
        let metrics = Arc::new(Metrics::new());
        let request = Bytes::from(vec![b'x'; 1 << 20]);
        let kept = Kept::new(&vault, &metrics, 50, &request);
        assert_eq!((kept.request.len(), kept.cut), (50, true));
        assert!(request.is_unique(), "nobody else holds the whole");
        assert!(!Kept::new(&vault, &metrics, 1 << 20, &request).cut);
    }

    #[test]
    fn bodies_wait_up_to_a_bound() {
        let waiting = Waiting::default();
        let half = MOST_WAITING / 2;
        assert!(waiting.admits(half) && waiting.admits(half));
        assert!(!waiting.admits(1));
        waiting.gone(half);
        assert!(waiting.admits(1));
        assert!(!waiting.admits(half));
    }
}
