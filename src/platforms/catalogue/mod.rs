//! The catalogue: every platform as data, the operator's changes on top.
//!
//! Built in are the TOML files beside this one, written from the platforms' own
//! documents. `[platforms.NAME]` of `gateway.toml` changes any entry and adds
//! platforms without a line of Rust; `[aliases]` names chains across platforms.

mod entry;
mod load;
mod merge;
mod names;
mod origins;
mod platform;

use std::sync::Arc;

use crate::accounts::Period;

pub use names::{Hop, Resolution};
pub use platform::{Face, Hangup, Model, Platform, Reach};

/// Every platform that is known.
#[derive(Debug)]
pub struct Catalogue {
    platforms: Vec<Arc<Platform>>,
    names: names::Names,
}

/// A mistake in the operator's `[platforms.*]` or `[aliases]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct CatalogueError {
    /// Where, as `platforms.qwen`.
    pub path: String,
    /// What.
    pub message: String,
}

impl Catalogue {
    /// The built-in platforms, with the operator's `[platforms.*]` and `[aliases]` on top.
    ///
    /// `operator` is the whole of `gateway.toml`; other keys are not looked at.
    ///
    /// # Errors
    /// Every mistake in the operator's tables.
    pub fn load(operator: &toml::Table) -> Result<Catalogue, Vec<CatalogueError>> {
        let mut mistakes = Vec::new();
        let platforms = load::platforms(operator, &mut mistakes);
        let names = names::Names::build(&platforms, operator.get("aliases"), &mut mistakes);
        if mistakes.is_empty() { Ok(Catalogue { platforms, names }) } else { Err(mistakes) }
    }

    /// A platform by id.
    pub fn platform(&self, id: &str) -> Option<&Arc<Platform>> {
        self.platforms.iter().find(|platform| platform.id == id)
    }

    /// Every platform, in the catalogue's order.
    pub fn platforms(&self) -> impl Iterator<Item = &Arc<Platform>> {
        self.platforms.iter()
    }

    /// The time zones of every daily window, each once.
    pub fn zones(&self) -> Vec<String> {
        let windows = self.platforms().flat_map(|platform| &platform.windows);
        let mut zones: Vec<String> = windows
            .filter_map(|window| match &window.period {
                Period::Day { zone } => Some(zone.clone()),
                Period::FromFirstUse { .. } => None,
            })
            .collect();
        zones.sort_unstable();
        zones.dedup();
        zones
    }

    /// What a caller's model name leads to: an exact name, an alias, a retired name's
    /// successor, or `PLATFORM/MODEL`.
    pub fn resolve(&self, name: &str) -> Resolution {
        self.names.resolve(&self.platforms, name)
    }

    /// What a model name means on one platform (`account:ID/MODEL`, a pinned account).
    ///
    /// A name that the catalogue doesn't know is taken as the platform's own.
    pub fn resolve_on(&self, platform: &Arc<Platform>, name: &str) -> Hop {
        names::on_platform(platform, name)
    }

    /// The aliases that callers may name.
    pub fn aliases(&self) -> impl Iterator<Item = &str> {
        self.names.aliases()
    }
}

#[cfg(test)]
mod tests;
