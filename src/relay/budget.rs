//! What a gateway token may use: requests a minute, tokens a day.
//!
//! A token without limits costs nothing here.

use super::call::Call;
use super::caller::Caller;
use super::chat::LOOK_AGAIN;
use super::error::CallError;
use super::gateway::Gateway;
use super::hold::{self, OpenHold};
use super::ids::lease_id;
use super::route::Route;
use crate::accounts::{HoldAsk, HoldRefusal};
use crate::telemetry::clock::Stopwatch;
use crate::telemetry::events::CallerLimited;

impl Gateway {
    /// Counts a request of the caller's token.
    pub(super) async fn admit(&self, caller: &Caller) -> Result<(), CallError> {
        let Some(limit) = caller.requests_per_minute() else { return Ok(()) };
        let admitted = self.parts.store.admit(caller.index(), limit).await;
        match admitted.inspect_err(|error| self.store_failed(error))? {
            Ok(()) => Ok(()),
            Err(retry_after) => {
                CallerLimited { metrics: &self.parts.metrics, by: "rate" }.emit();
                Err(CallError::OverRate { limit, retry_after })
            }
        }
    }

    /// Sets aside what the call will probably use of its token's day. While other requests
    /// hold what is left, waits as for a lease.
    pub(super) async fn hold_budget(
        &self,
        caller: &Caller,
        route: &Route,
        call: &mut Call,
    ) -> Result<(), CallError> {
        let (Some((purse, limit)), Some(hop)) = (caller.budget(), route.hops.first()) else {
            return Ok(());
        };
        let parts = &self.parts;
        let lane = parts.lanes.of(hop, &parts.metrics);
        let estimate = lane.learned.call(call.prompt.census(), call.max_tokens).0;
        let since = Stopwatch::start();
        let mut place = self.in_time(parts.books.day_place()).await?;
        loop {
            let key = hold::key(lease_id(), purse.clone(), estimate, "".into());
            let hold = OpenHold::ask(key, parts.books.clone(), place);
            let asked = parts.store.hold(HoldAsk { key: hold.key(), most: estimate }).await;
            let refusal = match asked.inspect_err(|error| self.store_failed(error))? {
                Ok(at) => {
                    call.draw_on(hold.granted(at));
                    return Ok(());
                }
                Err(refusal) => refusal,
            };
            let is_busy = refusal == HoldRefusal::Busy;
            match hold.was_refused() {
                Some(back) if is_busy && since.elapsed() < parts.lease_wait => place = back,
                _ => {
                    CallerLimited { metrics: &parts.metrics, by: "budget" }.emit();
                    let resets_at = match refusal {
                        HoldRefusal::Busy => None,
                        HoldRefusal::Empty { resets_at } => resets_at,
                    };
                    return Err(CallError::OverBudget { limit, resets_at });
                }
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, parts.books.settled()).await;
        }
    }
}
