//! What was tried for one request, and what to say if nobody answered.

use std::time::Duration;

use super::error::{CallError, PointsSaid};
use super::route::Route;
use crate::accounts::{AccountId, PlatformId, Refusal};
use crate::front::BadRequest;
use crate::telemetry::clock;

/// A refusal for being busy heals within a request's time.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// Accounts that failed, and the most hopeful reasons why nobody answered.
#[derive(Default)]
pub(super) struct Tried {
    accounts: Vec<AccountId>,
    /// What the face of the first can't do that was passed over.
    lacks: Option<BadRequest>,
    failure: Option<CallError>,
    /// What pools said since the last look.
    refusal: Option<CallError>,
    /// Their refusals that are not counted yet, by name.
    uncounted: Vec<&'static str>,
    busy: bool,
    failed_for: Reasons,
    refused_for: Reasons,
    /// Operator's keys that were tried, by number; with a model those that failed for it alone.
    keys: Vec<(usize, Option<String>)>,
    points: Option<PointsSaid>,
}

/// Of what kind the reasons were that accounts gave.
#[derive(Clone, Copy, Default)]
struct Reasons {
    /// An account has no quota left.
    exhaustion: bool,
    /// An account has some, and returns by itself.
    passing: bool,
}

impl Reasons {
    fn note(&mut self, error: &CallError) {
        self.exhaustion |= error.is_exhaustion();
        self.passing |= error.is_passing();
    }
}

impl Tried {
    /// Accounts not to lease again for this request.
    pub(super) fn accounts(&self) -> &[AccountId] {
        &self.accounts
    }

    /// An account failed.
    pub(super) fn failed(&mut self, account: AccountId, error: CallError) {
        self.accounts.push(account);
        self.failed_for.note(&error);
        keep(&mut self.failure, error);
    }

    /// An account was passed over: its face can't do what is asked. Another one's may.
    pub(super) fn passed_over(&mut self, account: AccountId, lacks: BadRequest) {
        self.accounts.push(account);
        self.lacks.get_or_insert(lacks);
    }

    /// What an account that was passed over can't do.
    pub(super) fn lacks(&self) -> Option<&BadRequest> {
        self.lacks.as_ref()
    }

    /// Whether points may pay: quota ran out, and no account that has some is worth the wait.
    pub(super) fn may_buy(&self) -> bool {
        let reasons = [self.failed_for, self.refused_for];
        reasons.iter().any(|reasons| reasons.exhaustion)
            && !reasons.iter().any(|reasons| reasons.passing)
    }

    /// Whether an operator's key was tried, and failed for more than another model.
    pub(super) fn has_bought_with(&self, key: usize, model: &str) -> bool {
        self.keys
            .iter()
            .any(|(tried, of)| *tried == key && of.as_deref().is_none_or(|of| of == model))
    }

    /// An operator's key failed: at all, or for a model alone. What is wrong with the key itself
    /// is the operator's affair.
    pub(super) fn bought_in_vain(&mut self, key: usize, of: Option<&str>, error: CallError) {
        use crate::platforms::ErrorClass::{AuthExpired, Banned, NotFound, QuotaExhausted};
        self.keys.push((key, of.map(str::to_owned)));
        let is_the_operators = match &error {
            CallError::Platform { error, .. } => {
                matches!(error.class, AuthExpired | Banned | NotFound | QuotaExhausted)
            }
            error => matches!(error, CallError::Unauthorized { .. }),
        };
        if let CallError::Bad(lacks) = error {
            self.lacks.get_or_insert(lacks);
        } else if is_the_operators {
            self.points_said(PointsSaid::KeyFailed);
        } else {
            keep(&mut self.failure, error);
        }
    }

    /// Points can't pay.
    pub(super) fn points_said(&mut self, said: PointsSaid) {
        self.points = Some(said);
    }

    /// Other requests hold what is left of the points.
    pub(super) fn points_are_busy(&mut self) {
        self.busy = true;
        keep(&mut self.refusal, CallError::PointsHeld);
    }

    /// A pool granted no lease.
    pub(super) fn refused(&mut self, platform: &PlatformId, refusal: Refusal) {
        self.uncounted.push(refusal.name());
        let platform = platform.clone();
        let error = match refusal {
            Refusal::NoAccount => return,
            Refusal::Exhausted { resets_at } => CallError::Exhausted { platform, resets_at },
            Refusal::Busy => {
                self.busy = true;
                CallError::Limited { platform, why: "is busy", retry_after: BUSY_RETRY }
            }
            Refusal::Cooling { until } => {
                let wait = until.duration_since(clock::now()).try_into().unwrap_or_default();
                CallError::Limited { platform, why: "rests after a failure", retry_after: wait }
            }
            Refusal::Unauthorized { account, status } => {
                CallError::Unauthorized { platform, account, status }
            }
        };
        self.refused_for.note(&error);
        keep(&mut self.refusal, error);
    }

    /// Refusals since they were last taken, by name: to count.
    pub(super) fn take_refusals(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.uncounted)
    }

    /// Whether waiting for a settlement can help.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Forgets what pools said. Accounts that failed stay out.
    pub(super) fn look_again(&mut self) {
        self.refusal = None;
        self.refused_for = Reasons::default();
        self.busy = false;
        self.points = None;
    }

    /// What the caller hears.
    pub(super) fn verdict(mut self, route: &Route) -> CallError {
        if let Some(refusal) = self.refusal {
            keep(&mut self.failure, refusal);
        }
        match (self.failure, self.points) {
            (Some(quota), Some(points)) if quota.is_exhaustion() => {
                CallError::NothingLeft { quota: Box::new(quota), points }
            }
            (Some(failure), _) => failure,
            (None, _) => self.lacks.map_or_else(|| unbound(route), CallError::Bad),
        }
    }
}

/// Nobody has such an account.
fn unbound(route: &Route) -> CallError {
    let Some(hop) = route.hops.first() else {
        return CallError::ModelNotFound { hint: "No platform has this model.".into() };
    };
    let hint = format!(
        "You have no {name} account for `{model}`. Bind one: \
         tributary account add --user YOU --platform {id} --name NAME --key-file FILE",
        name = hop.platform.name,
        id = hop.platform.id,
        model = hop.model.name,
    );
    CallError::ModelNotFound { hint }
}

fn keep(kept: &mut Option<CallError>, error: CallError) {
    if kept.as_ref().is_none_or(|kept| error.hope() >= kept.hope()) {
        *kept = Some(error);
    }
}
