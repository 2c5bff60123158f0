//! What pays for an attempt: an account's quota, or points.

use std::sync::Arc;

use crate::accounts::{Charge, ChargeKind, HoldEnd, HoldKey, LeaseKey, Points, Settlement, Tokens};
use crate::front::Usage;
use crate::platforms::Price;

/// What pays for an attempt.
pub(super) enum Payer {
    /// The account that is leased.
    Quota(Arc<LeaseKey>),
    /// The caller's points, at the model's price.
    Points(HoldKey, Price),
}

impl Payer {
    /// What a use costs in points; `None` where an account's quota pays.
    pub(super) fn cost(&self, used: &Used) -> Option<Points> {
        match self {
            Self::Quota(_) => None,
            Self::Points(_, price) => Some(used.cost(price)),
        }
    }

    /// What ends the lease or the hold.
    pub(super) fn end(self, used: &Used) -> End {
        let amount = self.cost(used).unwrap_or_default().0.unsigned_abs();
        match self {
            Self::Quota(lease) => (Some(Settlement { lease, charge: used.charge }), None),
            Self::Points(hold, _) => {
                (None, Some(Box::new(HoldEnd { hold, kind: used.kind(), amount })))
            }
        }
    }
}

/// What ends a lease, or a hold: one of them.
pub(super) type End = (Option<Settlement>, Option<Box<HoldEnd>>);

/// What an attempt used, and whose figure that is.
#[derive(Clone, Copy)]
pub(super) struct Used {
    pub(super) charge: Charge,
    pub(super) counts: Usage,
}

impl Used {
    /// Nothing.
    pub(super) const NOTHING: Self = Self {
        charge: Charge::Release,
        counts: Usage { input: 0, cache_read: 0, cache_write: 0, output: 0, reasoning: 0 },
    };

    /// By the platform's figure.
    pub(super) fn exact(counts: Usage) -> Self {
        Self { charge: Charge::Exact(Tokens(counts.total())), counts }
    }

    /// By our count.
    pub(super) fn estimated(counts: Usage) -> Self {
        Self { charge: Charge::Estimated(Tokens(counts.total())), counts }
    }

    /// What it costs at a price.
    pub(super) fn cost(&self, price: &Price) -> Points {
        if self.charge == Charge::Release { Points::ZERO } else { price.cost(&self.counts) }
    }

    fn kind(&self) -> ChargeKind {
        match self.charge {
            Charge::Release => ChargeKind::Released,
            Charge::Exact(_) => ChargeKind::Exact,
            Charge::Estimated(_) => ChargeKind::Estimated,
        }
    }
}
