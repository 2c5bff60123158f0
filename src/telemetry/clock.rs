//! The only place that reads a clock.
//!
//! Wall time that the books are kept by never runs back: a clock that an
//! administrator or NTP sets back stands still until it has caught up.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

static LATEST_MS: AtomicI64 = AtomicI64::new(0);

/// Wall time, to the millisecond, never earlier than an earlier answer.
pub fn now() -> Timestamp {
    Timestamp::from_millisecond(now_ms()).expect("milliseconds of this age are in range")
}

/// As [`now`], in milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let ms = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
    // Mostly it is the same millisecond still, which all threads may read at once.
    let latest = LATEST_MS.load(Ordering::Relaxed);
    if ms <= latest { latest } else { LATEST_MS.fetch_max(ms, Ordering::Relaxed).max(ms) }
}

/// A point from which an elapsed time is measured; monotonic.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
