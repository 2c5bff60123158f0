//! How often a sign-in may be tried.
//!
//! A name may be tried five times in a quarter of an hour. From then on each try must keep a
//! distance from the last, which doubles up to a quarter of an hour: guessing is slow, and
//! nobody is locked out for good. An address may be tried from thirty times in a quarter of an
//! hour. A try counts when it begins, so that many at once are no way around; one that
//! succeeds is taken back.

use std::time::Duration;

/// What tries are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AttemptKey {
    /// A name's keyed hash, whether there is a user of that name or not.
    Name(String),
    /// An address, or the network that one of IPv6 is from.
    Address(String),
}

impl AttemptKey {
    /// How many are free.
    pub fn free(&self) -> u32 {
        match self {
            Self::Name(_) => 5,
            Self::Address(_) => 30,
        }
    }

    /// Whether distances double once those are used up.
    pub fn doubles(&self) -> bool {
        matches!(self, Self::Name(_))
    }
}

/// What was tried of one key. Times are in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    count: u32,
    first: i64,
    last: i64,
}

impl Attempts {
    /// A quarter of an hour: how long tries count, and the longest distance.
    pub const SPAN_MS: i64 = 15 * 60 * 1000;
    /// The first distance.
    pub const DISTANCE_MS: i64 = 60 * 1000;
    /// After so long without a try all is forgotten.
    pub const MEMORY_MS: i64 = 60 * 60 * 1000;

    /// Counts one try, or answers how long to wait.
    ///
    /// # Errors
    /// The time to wait; nothing is counted.
    pub fn take(&mut self, key: &AttemptKey, now: i64) -> Result<(), Duration> {
        let spent = self.count >= key.free();
        let forgotten = match spent && key.doubles() {
            true => now >= self.last + Self::MEMORY_MS,
            false => now >= self.first + Self::SPAN_MS,
        };
        if self.count == 0 || forgotten {
            *self = Self { count: 1, first: now, last: now };
            return Ok(());
        }
        if spent {
            let free_at = match key.doubles() {
                true => self.last + Self::distance(self.count - key.free()),
                false => self.first + Self::SPAN_MS,
            };
            if free_at > now {
                return Err(Duration::from_millis((free_at - now).unsigned_abs()));
            }
        }
        *self = Self { count: self.count.saturating_add(1), last: now, ..*self };
        Ok(())
    }

    /// Takes one try back: it succeeded.
    pub fn give_back(&mut self, key: &AttemptKey) {
        self.count = if key.doubles() { 0 } else { self.count.saturating_sub(1) };
    }

    /// Whether nothing follows from it any more.
    pub fn is_forgotten(&self, now: i64) -> bool {
        self.count == 0 || now >= self.last + Self::MEMORY_MS
    }

    fn distance(over: u32) -> i64 {
        (Self::DISTANCE_MS << over.min(8)).min(Self::SPAN_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn five_tries_are_free_and_then_the_distance_doubles_to_a_quarter_of_an_hour() {
        let key = AttemptKey::Name("n".into());
        let (mut tried, mut now) = (Attempts::default(), 1_000_000);
        for _ in 0..5 {
            assert_eq!(tried.take(&key, now), Ok(()));
        }
        for minutes in [1, 2, 4, 8, 15, 15, 15] {
            let wait = Duration::from_millis((minutes * MINUTE).unsigned_abs());
            assert_eq!(tried.take(&key, now), Err(wait));
            now += minutes * MINUTE - 1;
            assert_eq!(tried.take(&key, now), Err(Duration::from_millis(1)));
            now += 1;
            assert_eq!(tried.take(&key, now), Ok(()));
        }
        now += 60 * MINUTE;
        for _ in 0..5 {
            assert_eq!(tried.take(&key, now), Ok(()));
        }
        assert!(tried.take(&key, now).is_err());
        tried.give_back(&key);
        assert_eq!(tried.take(&key, now), Ok(()));
    }

    #[test]
    fn an_address_has_thirty_tries_a_quarter_of_an_hour() {
        let key = AttemptKey::Address("192.0.2.1".into());
        let (mut tried, now) = (Attempts::default(), 1_000_000);
        for _ in 0..30 {
            assert_eq!(tried.take(&key, now), Ok(()));
        }
        assert!(tried.take(&key, now + 15 * MINUTE - 1).is_err());
        tried.give_back(&key);
        assert_eq!(tried.take(&key, now + 1), Ok(()));
        assert_eq!(tried.take(&key, now + 2), Err(Duration::from_millis(15 * 60_000 - 2)));
        assert_eq!(tried.take(&key, now + 15 * MINUTE), Ok(()));
    }
}
