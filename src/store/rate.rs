//! Requests a minute, as this process counts them.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use super::Clock;

type Limiter =
    RateLimiter<String, DefaultKeyedStateStore<String>, SinceEpoch, NoOpMiddleware<Duration>>;

/// So many tokens of one limit are kept before those that rest are forgotten. Each is kept
/// as long as it differs from a new one.
const KEPT: usize = 1000;

/// A limiter for every rate in use, each over its tokens.
pub(super) struct Rates {
    clock: Clock,
    limiters: Mutex<HashMap<NonZeroU32, Arc<Rate>>>,
}

/// One rate's limiter.
struct Rate {
    limiter: Limiter,
    /// With more tokens than this it forgets those that rest.
    most: AtomicUsize,
}

impl Rate {
    /// Forgets tokens that rest, where it has grown twofold since it last did.
    fn tidy(&self) {
        if self.limiter.len() > self.most.load(Ordering::Relaxed) {
            self.limiter.retain_recent();
            self.most.store(KEPT.max(2 * self.limiter.len()), Ordering::Relaxed);
        }
    }
}

impl Rates {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, limiters: Mutex::default() }
    }

    /// Counts one request, or answers how long to wait.
    pub(super) fn check(&self, token: &str, per_minute: NonZeroU32) -> Result<(), Duration> {
        let rate = self.of(per_minute);
        rate.tidy();
        let limiter = &rate.limiter;
        limiter
            .check_key(&token.to_owned())
            .map_err(|refused| refused.wait_time_from(limiter.clock().now()))
    }

    fn of(&self, per_minute: NonZeroU32) -> Arc<Rate> {
        let mut limiters = self.limiters.lock().unwrap_or_else(PoisonError::into_inner);
        let limiter = limiters.entry(per_minute).or_insert_with(|| {
            let clock = SinceEpoch(self.clock.clone());
            let state = DefaultKeyedStateStore::default();
            let limiter = RateLimiter::new(Quota::per_minute(per_minute), state, clock);
            Arc::new(Rate { limiter, most: AtomicUsize::new(KEPT) })
        });
        limiter.clone()
    }
}

/// The store's clock as governor reads it.
#[derive(Clone)]
struct SinceEpoch(Clock);

impl governor::clock::Clock for SinceEpoch {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis((self.0)().as_millisecond().unsigned_abs())
    }
}
