//! Reading on after the caller has gone, for the platform's exact figure.
//!
//! Some platforms bill the whole answer whether anyone reads it or not. A thread drains so
//! many streams at once and cancels the rest: callers choose how often they hang up. A
//! drained stream runs to its end, but no longer than its limits, nor than requests may go on
//! when the gateway shuts down; then it is cancelled.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::settings::Settings;
use super::stream::Live;

/// Where a serving thread's drained streams live.
pub struct Drains {
    /// What the thread waits for before it ends.
    pub tasks: TaskTracker,
    /// Requests may go on no longer.
    pub late: CancellationToken,
}

/// Drained streams of one thread, and their limits.
pub(super) struct Draining {
    drains: Drains,
    /// A place for each stream that may be drained.
    room: Arc<Semaphore>,
    limits: Limits,
}

/// How long and how far a stream is drained.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    time: Duration,
    /// Tokens produced after the hang-up, by our estimate.
    pub(super) tokens: u64,
    /// The longest silence.
    pub(super) gap: Duration,
}

impl Draining {
    pub(super) fn new(drains: Drains, settings: &Settings, gap: Duration) -> Arc<Self> {
        let time = settings.drain_time.unsigned_abs();
        let limits = Limits { time, tokens: settings.drain_tokens as u64, gap };
        let room = Arc::new(Semaphore::new(settings.drain_streams.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self { drains, room, limits })
    }

    /// What the thread waits for before it ends.
    pub(super) fn tasks(&self) -> TaskTracker {
        self.drains.tasks.clone()
    }

    /// Drains a stream. Dropping it is what ends it, wherever it stands.
    pub(super) fn drain(&self, mut live: Live) {
        let Drains { tasks, late } = &self.drains;
        if late.is_cancelled() || Handle::try_current().is_err() {
            return;
        }
        let Ok(place) = self.room.clone().try_acquire_owned() else { return };
        let (late, limits) = (late.clone(), self.limits);
        tasks.spawn(async move {
            let reading = tokio::time::timeout(limits.time, live.run_out(limits));
            // Whichever way it ends: what has not ended by itself is cancelled by its drop.
            let _ = late.run_until_cancelled(reading).await;
            drop(place);
        });
    }
}
