//! The resets of every zone in use, read again after each midnight.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::accounts::Resets;
use crate::telemetry::clock;

/// The zones of the catalogue's windows.
pub struct Zones {
    names: Vec<String>,
    resets: ArcSwap<Resets>,
}

impl Zones {
    /// Zones by their IANA names.
    pub fn new(names: Vec<String>) -> Self {
        let resets = Resets::after(clock::now(), names.iter().map(String::as_str));
        Self { names, resets: ArcSwap::from_pointee(resets) }
    }

    /// Each zone's resets around now.
    pub fn resets(&self) -> Arc<Resets> {
        let now = clock::now();
        let known = self.resets.load_full();
        if known.is_fresh(now) {
            return known;
        }
        let fresh = Arc::new(Resets::after(now, self.names.iter().map(String::as_str)));
        self.resets.store(fresh.clone());
        fresh
    }
}
