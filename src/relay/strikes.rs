//! Failures in a row: an account that keeps failing rests, longer each time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::accounts::AccountId;
use crate::telemetry::clock::Stopwatch;

/// So many failures in a row are forgiven.
const FORGIVEN: u32 = 2;
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Failures in a row, by account, as this gateway saw them.
#[derive(Default)]
pub(super) struct Strikes(Mutex<HashMap<AccountId, Row>>);

struct Row {
    count: u32,
    since_last: Stopwatch,
}

impl Strikes {
    /// Counts the failure of an attempt that took so long; answers how long the account
    /// shall rest, if it shall.
    ///
    /// Attempts that were under way together fail together, by one cause: those that had
    /// begun before the last strike are none of their own.
    pub(super) fn count(&self, account: AccountId, took: Duration) -> Option<Duration> {
        let mut strikes = self.lock();
        let row = strikes.entry(account);
        let row = row
            .and_modify(|row| {
                if row.since_last.elapsed() >= took {
                    row.count = row.count.saturating_add(1);
                    row.since_last = Stopwatch::start();
                }
            })
            .or_insert_with(|| Row { count: 1, since_last: Stopwatch::start() });
        let beyond = row.count.checked_sub(FORGIVEN + 1)?;
        Some(FIRST_PAUSE.saturating_mul(1 << beyond.min(16)).min(LONGEST_PAUSE))
    }

    /// A success wipes the slate; answers whether the account had been sent to rest.
    pub(super) fn clear(&self, account: AccountId) -> bool {
        let mut strikes = self.lock();
        !strikes.is_empty() && strikes.remove(&account).is_some_and(|row| row.count > FORGIVEN)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_failure_in_a_row_pauses_and_each_further_one_doubles() {
        let strikes = Strikes::default();
        let account = AccountId(1);
        let at_once = Duration::ZERO;
        let pauses: Vec<_> = (0..5).map(|_| strikes.count(account, at_once)).collect();
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(pauses, [None, None, seconds(5), seconds(10), seconds(20)]);
        assert!(strikes.clear(account));
        assert!(!strikes.clear(account));
        assert_eq!(strikes.count(account, at_once), None);
        for _ in 0..40 {
            strikes.count(account, at_once);
        }
        assert_eq!(strikes.count(account, at_once), seconds(600));
    }

    #[test]
    fn attempts_that_fail_together_are_one_strike() {
        let strikes = Strikes::default();
        let long = Duration::from_secs(60);
        for _ in 0..50 {
            assert_eq!(strikes.count(AccountId(1), long), None);
        }
    }
}
