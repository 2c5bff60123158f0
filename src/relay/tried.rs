//! What was tried for one request, and what to say if nobody answered.

use std::time::Duration;

use super::error::CallError;
use super::route::Route;
use crate::accounts::{AccountId, PlatformId, Refusal};
use crate::telemetry::clock;

/// A refusal for being busy heals within a request's time.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// Accounts that failed, and the most hopeful reasons why nobody answered.
#[derive(Default)]
pub(super) struct Tried {
    accounts: Vec<AccountId>,
    failure: Option<CallError>,
    /// What pools said since the last look.
    refusal: Option<CallError>,
    busy: bool,
}

impl Tried {
    /// Accounts not to lease again for this request.
    pub(super) fn accounts(&self) -> &[AccountId] {
        &self.accounts
    }

    /// An account failed.
    pub(super) fn failed(&mut self, account: AccountId, error: CallError) {
        self.accounts.push(account);
        keep(&mut self.failure, error);
    }

    /// A pool granted no lease.
    pub(super) fn refused(&mut self, platform: &PlatformId, refusal: Refusal) {
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
        keep(&mut self.refusal, error);
    }

    /// Whether waiting for a settlement can help.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Forgets what pools said. Accounts that failed stay out.
    pub(super) fn look_again(&mut self) {
        self.refusal = None;
        self.busy = false;
    }

    /// What the caller hears.
    pub(super) fn verdict(mut self, route: &Route) -> CallError {
        if let Some(refusal) = self.refusal {
            keep(&mut self.failure, refusal);
        }
        self.failure.unwrap_or_else(|| {
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
        })
    }
}

fn keep(kept: &mut Option<CallError>, error: CallError) {
    if kept.as_ref().is_none_or(|kept| error.hope() >= kept.hope()) {
        *kept = Some(error);
    }
}
