//! Telling a batch of callers that their commit is done.
//!
//! The writer wakes one of them, who wakes the others on its way. Waking each from the
//! writer's thread would cost a system call a caller, and on a busy core a switch to
//! that caller and back before the next is told.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::super::{Answer, StoreError};

/// A call that waits for its commit.
pub(super) type Waiter = oneshot::Sender<Committed>;

/// How a commit came out, and who has yet to hear of it: they do when it is dropped,
/// whatever became of the one who held it.
pub(super) struct Committed {
    pub(super) waiters: Vec<Waiter>,
    pub(super) outcome: Result<(), Arc<StoreError>>,
}

impl Committed {
    /// Tells the first, who tells the rest.
    pub(super) fn tell(mut self) {
        while let Some(waiter) = self.waiters.pop() {
            match waiter.send(self) {
                Ok(()) => return,
                // It no longer waits, and hands back the task of telling the rest.
                Err(back) => self = back,
            }
        }
    }

    /// The outcome, as a verb answers it.
    pub(super) fn outcome(self) -> Answer<()> {
        match &self.outcome {
            Ok(()) => Ok(()),
            Err(why) => Err(StoreError::clone(why)),
        }
    }
}

impl Drop for Committed {
    fn drop(&mut self) {
        for waiter in std::mem::take(&mut self.waiters) {
            // One that no longer waits needs no answer.
            _ = waiter.send(Self { waiters: Vec::new(), outcome: self.outcome.clone() });
        }
    }
}
