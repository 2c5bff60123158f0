//! A gate that a test holds: each call of a link waits before it until the test lets it go.

use redis::Cmd;
use tokio::sync::{mpsc, oneshot};

/// A call that waits; it goes when this is sent to, or dropped.
pub(super) struct Waiting {
    pub(super) call: Cmd,
    pub(super) opens: oneshot::Sender<()>,
}

/// Before the gate.
pub(super) struct Gate(mpsc::Sender<Waiting>);

impl Gate {
    /// A gate, and where the calls wait.
    pub(super) fn new() -> (Self, mpsc::Receiver<Waiting>) {
        let (gate, waiting) = mpsc::channel(16);
        (Self(gate), waiting)
    }

    pub(super) async fn pass(&self, call: &Cmd) {
        let (opens, open) = oneshot::channel();
        // Without anybody who holds it, it is open.
        if self.0.send(Waiting { call: call.clone(), opens }).await.is_ok() {
            _ = open.await;
        }
    }
}
