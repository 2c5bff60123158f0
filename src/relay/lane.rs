//! A lane: what the gateway keeps for one model of one platform.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::estimate::Learned;
use crate::accounts::PlatformId;
use crate::platforms::{Hop, Vocabulary};
use crate::telemetry::{Meter, Metrics};

/// One model's learned figures and metrics.
pub(super) struct Lane {
    pub(super) platform: PlatformId,
    pub(super) vocabulary: Vocabulary,
    pub(super) learned: Learned,
    pub(super) meter: Arc<Meter>,
}

/// Every lane in use. Models that the catalogue does not list share their
/// platform's lane `other`, so that callers can't make lanes at will.
#[derive(Default)]
pub(super) struct Lanes(RwLock<HashMap<usize, Arc<Lane>>>);

impl Lanes {
    /// The lane of a hop. The catalogue outlives every lane, so addresses are names.
    pub(super) fn of(&self, hop: &Hop, metrics: &Metrics) -> Arc<Lane> {
        let key = if hop.model.listed {
            Arc::as_ptr(&hop.model) as usize
        } else {
            Arc::as_ptr(&hop.platform) as usize
        };
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        known.unwrap_or_else(|| {
            let model = if hop.model.listed { &hop.model.name } else { "other" };
            let lane = Arc::new(Lane {
                platform: hop.platform.id.as_str().into(),
                vocabulary: hop.model.vocabulary,
                learned: Learned::default(),
                meter: metrics.meter(&hop.platform.id, model),
            });
            let mut lanes = self.0.write().unwrap_or_else(PoisonError::into_inner);
            lanes.entry(key).or_insert(lane).clone()
        })
    }
}
