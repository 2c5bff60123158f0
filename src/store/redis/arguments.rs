//! The arguments that every family script begins with.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
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
        call.arg(self.clock_ms()).arg(&*self.usual().text).arg(&*self.zones_text.of(resets));
        call
    }
}

/// Zones' resets as a script's argument, made once for as long as they are the same.
#[derive(Default)]
pub(super) struct ZonesText(ArcSwap<(Resets, Arc<str>)>);

impl ZonesText {
    fn of(&self, resets: &Resets) -> Arc<str> {
        let known = self.0.load();
        if known.0 == *resets {
            return known.1.clone();
        }
        let mut text = String::new();
        for zone in &resets.0 {
            text.push_str(&zone.zone);
            for reset in zone.around {
                // Writing to a `String` never fails.
                let _ = write!(text, " {}", reset.as_millisecond());
            }
            text.push(' ');
        }
        let text: Arc<str> = text.into();
        // A script that looks at no zone is told of none.
        if !resets.0.is_empty() {
            self.0.store(Arc::new((resets.clone(), text.clone())));
        }
        text
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
