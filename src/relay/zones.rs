//! The resets of every zone in use, read again after each midnight.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use crate::accounts::Resets;
use crate::telemetry::clock;

/// The zones of the catalogue's windows, and of the accounts'.
pub struct Zones {
    names: ArcSwap<Vec<String>>,
    resets: ArcSwap<Resets>,
}

impl Zones {
    /// Zones by their IANA names.
    pub fn new(names: Vec<String>) -> Self {
        let resets = ArcSwap::from_pointee(after_now(&names));
        Self { names: ArcSwap::from_pointee(names), resets }
    }

    /// Takes in zones of accounts that were bound since, maybe by another gateway.
    pub(super) fn know(&self, names: Vec<String>) {
        let known = self.names.load_full();
        let new: Vec<String> = names.into_iter().filter(|name| !known.contains(name)).collect();
        if !new.is_empty() {
            let all = Arc::new([known.as_slice(), &new].concat());
            self.resets.store(Arc::new(after_now(&all)));
            self.names.store(all);
        }
    }

    /// Each zone's resets around now.
    pub fn resets(&self) -> Arc<Resets> {
        self.resets_at(clock::now())
    }

    /// The same for who has just read the clock.
    pub(super) fn resets_at(&self, now: Timestamp) -> Arc<Resets> {
        let known = self.resets.load_full();
        if known.is_fresh(now) {
            return known;
        }
        let fresh = Arc::new(after_now(&self.names.load()));
        self.resets.store(fresh.clone());
        fresh
    }
}

fn after_now(names: &[String]) -> Resets {
    Resets::after(clock::now(), names.iter().map(String::as_str))
}
