//! What the loader counts, and how it says so.

use std::io::{BufRead as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The counts of all connections.
pub struct Tally {
    left: AtomicU64,
    requests: AtomicU64,
    errors: AtomicU64,
    events: AtomicU64,
    open: AtomicU64,
    first_error: OnceLock<String>,
}

/// Holds one stream among the open ones until it is dropped.
pub struct Open<'a>(&'a Tally);

impl Tally {
    /// Counts from zero, with so many requests to give out.
    pub fn new(requests: u64) -> Self {
        Self {
            left: AtomicU64::new(requests),
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            events: AtomicU64::new(0),
            open: AtomicU64::new(0),
            first_error: OnceLock::new(),
        }
    }

    /// Takes one of the requests that are left.
    pub fn take_request(&self) -> bool {
        self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    /// One answer is whole and as expected.
    pub fn finished(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    /// One request failed; the first failure's words are kept.
    pub fn failed(&self, error: &std::io::Error) {
        self.errors.fetch_add(1, Relaxed);
        self.first_error.get_or_init(|| error.to_string());
    }

    /// So many more events arrived.
    pub fn saw_events(&self, events: u64) {
        self.events.fetch_add(events, Relaxed);
    }

    /// A stream had its first event.
    pub fn stream_opened(&self) -> Open<'_> {
        self.open.fetch_add(1, Relaxed);
        Open(self)
    }

    /// The last line: all counts, and the latencies' median and 99th percentile.
    pub fn report(&self, took: Duration, mut latencies: Vec<u32>) -> serde_json::Value {
        latencies.sort_unstable();
        let at = |share: f64| latencies.get((latencies.len() as f64 * share) as usize).copied();
        let mut report = self.counts();
        report["seconds"] = took.as_secs_f64().into();
        report["p50_us"] = at(0.50).into();
        report["p99_us"] = at(0.99).into();
        report["first_error"] = self.first_error.get().cloned().into();
        report
    }

    fn counts(&self) -> serde_json::Value {
        serde_json::json!({
            "requests": self.requests.load(Relaxed),
            "errors": self.errors.load(Relaxed),
            "events": self.events.load(Relaxed),
            "open": self.open.load(Relaxed),
        })
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

/// Answers each line on stdin with the counts so far, on a thread that ends with the process.
pub fn answer_stdin(tally: Arc<Tally>) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if line.is_err() || writeln!(std::io::stdout(), "{}", tally.counts()).is_err() {
                return;
            }
        }
    });
}
