//! Failures in a row: an account that keeps failing rests, longer each time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::accounts::AccountId;

/// So many failures in a row are forgiven.
const FORGIVEN: u32 = 2;
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Failures in a row, by account, as this gateway saw them.
#[derive(Default)]
pub(super) struct Strikes(Mutex<HashMap<AccountId, u32>>);

impl Strikes {
    /// Counts a failure; answers how long the account shall rest, if it shall.
    pub(super) fn count(&self, account: AccountId) -> Option<Duration> {
        let mut strikes = self.lock();
        let strike = strikes.entry(account).or_insert(0);
        *strike = strike.saturating_add(1);
        let beyond = strike.checked_sub(FORGIVEN + 1)?;
        Some(FIRST_PAUSE.saturating_mul(1 << beyond.min(16)).min(LONGEST_PAUSE))
    }

    /// A success wipes the slate.
    pub(super) fn clear(&self, account: AccountId) {
        let mut strikes = self.lock();
        if !strikes.is_empty() {
            strikes.remove(&account);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, u32>> {
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
        let pauses: Vec<_> = (0..5).map(|_| strikes.count(account)).collect();
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(pauses, [None, None, seconds(5), seconds(10), seconds(20)]);
        strikes.clear(account);
        assert_eq!(strikes.count(account), None);
        for _ in 0..40 {
            strikes.count(account);
        }
        assert_eq!(strikes.count(account), seconds(600));
    }
}
