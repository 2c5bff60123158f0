//! The arguments that every family script begins with.

use std::time::Duration;

use redis::Cmd;

use crate::accounts::{Resets, Tokens};

use super::RedisStore;
use super::keys::Family;
use super::scripts::Loaded;

/// How long it is remembered that a lease has ended. A settlement may be repeated for
/// that long, and one whose lease is unknown is believed for that long after its grant:
/// so none counts twice, whatever a fail-over lost.
pub(super) const TOMBSTONE: Duration = Duration::from_secs(600);

/// How long it is remembered that a lease ended before it was known: as long as a server
/// that stalls may take to come to the asking.
pub(super) const EARLY_TOMBSTONE: Duration = Duration::from_secs(60);

/// How long a late exact figure is waited for.
pub(super) const LATE: Duration = Duration::from_secs(24 * 3600);

/// The largest number that a script counts exactly.
const EXACT: u64 = 1 << 53;

impl RedisStore {
    /// Begins a call of a script on a family: its keys, the time, the usual policy, the
    /// zones' resets.
    pub(super) fn call(&self, script: &Loaded, family: &Family, resets: &Resets) -> Cmd {
        self.call_with(script, &self.family_keys.of(family), resets)
    }

    /// The same of a move's step.
    pub(super) fn call_of_move(&self, script: &Loaded, family: &Family) -> Cmd {
        self.call_with(script, &family.keys_of_moves(), &Resets::default())
    }

    fn call_with(&self, script: &Loaded, keys: &[String], resets: &Resets) -> Cmd {
        let mut call = script.call(keys);
        call.arg(self.clock_ms());
        let usual = self.usual();
        call.arg(usual.policy.number()).arg(usual.since).arg(resets.0.len());
        for zone in &resets.0 {
            call.arg(&zone.zone);
            for reset in zone.around {
                call.arg(reset.as_millisecond());
            }
        }
        call
    }
}

/// Tokens as a script's argument.
pub(super) fn tokens(tokens: Tokens) -> u64 {
    tokens.0.min(EXACT)
}

/// A count as a script's argument.
pub(super) fn exactly(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(EXACT).min(EXACT)
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(EXACT).min(EXACT)
}
