//! The straight line: one chat request from a parsed body to an answer.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use super::attempt::Begun;
use super::call::{Call, Ending};
use super::caller::Caller;
use super::conversation::Talk;
use super::error::CallError;
use super::failure::{Failure, Next};
use super::gateway::Gateway;
use super::route::Route;
use super::stream::RelayStream;
use super::tried::Tried;
use crate::accounts::{Account, AccountId, Billing};
use crate::front::ChatRequest;
use crate::platforms::{Answer, Exchange, Hop};
use crate::telemetry::clock::{self, Stopwatch};

/// An answer to relay.
pub struct Relayed {
    /// The account that answers; `None`: one of the operator's keys.
    pub account: Option<AccountId>,
    /// Who pays.
    pub billing: Billing,
    /// Its platform, and the model there.
    pub hop: Hop,
    /// How many attempts it took.
    pub attempts: usize,
    /// The answer.
    pub content: Content,
}

/// An answer's body.
pub enum Content {
    /// JSON, complete.
    Whole(Bytes),
    /// Server-sent events.
    Stream(Box<RelayStream>),
}

/// While tokens are leased to others, look again at least this often: another
/// gateway's settlements are not heard here.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// On one platform no more accounts are looked at whose face can't do what is asked.
const MOST_PASSED_OVER: usize = 64;

impl Gateway {
    /// Answers a chat request, on an account with quota left. `headers` are the caller's, and
    /// may name a conversation.
    ///
    /// Dropping the future before it is done is the caller's hang-up: the upstream
    /// request is cancelled and the lease settled.
    pub async fn chat(
        &self,
        caller: &Caller,
        ask: &ChatRequest,
        pin: Option<AccountId>,
        headers: &HeaderMap,
        request_id: &str,
        arrived: Stopwatch,
    ) -> Result<Relayed, CallError> {
        self.admit(caller).await?;
        let parts = &self.parts;
        let route = Route::find(&parts.catalogue, &*parts.store, caller, ask.model(), pin).await?;
        let route = route.able(ask)?;
        let mut call = Call::begin(parts, caller, ask, request_id, arrived);
        let names = &parts.settings.session_headers;
        let talk = Talk::new(caller, ask, headers, &parts.vault, names);
        match self.first_answer(&talk, &route, &mut call).await {
            Ok(first) => {
                let ailing = first.account.filter(|_| call.is_ailing());
                let relayed = self.relay(first, call);
                // Whoever hangs up meanwhile drops an answer that is in the books, or a stream
                // that ends itself.
                if let Some(account) = ailing {
                    self.cleared(account).await;
                }
                Ok(relayed)
            }
            Err(error) => {
                call.close(error.outcome(), Ending::NOTHING);
                Err(error)
            }
        }
    }

    /// Tries the route's platforms, and on each its accounts, until one answers; then, where
    /// no account has quota left, the operator's keys.
    async fn first_answer(
        &self,
        talk: &Talk<'_>,
        route: &Route,
        call: &mut Call,
    ) -> Result<First, CallError> {
        let Talk { caller, ask, .. } = *talk;
        self.hold_budget(caller, route, call).await?;
        let mut tried = Tried::default();
        let waited = Stopwatch::start();
        // One answer's patience for all attempts together: an SDK has no more.
        let patience = if ask.wants_stream() {
            self.client.first_byte_timeout()
        } else {
            self.client.whole_answer_timeout()
        };
        let may_try = |call: &Call| match call.attempts() {
            0 => true,
            attempts => attempts < self.parts.max_attempts && waited.elapsed() < patience,
        };
        loop {
            for hop in route.hops.iter() {
                let mut passed_over = 0;
                while may_try(call) {
                    let leased = self.lease(talk, hop, route.pin, call, &mut tried).await?;
                    let Some(account) = leased else { break };
                    match self.attempt(ask, hop, &account, call).await {
                        Ok(begun) => {
                            let account = Some(account.id);
                            return Ok(First { begun, hop: hop.clone(), account });
                        }
                        Err(Failure::Request(bad)) => {
                            call.passed_over();
                            tried.passed_over(account.id, bad);
                            passed_over += 1;
                            // Most are refused by every face.
                            let may_go_on =
                                passed_over > 1 || Exchange::can(&hop.platform, &hop.model, ask);
                            if !may_go_on || passed_over == MOST_PASSED_OVER {
                                break;
                            }
                        }
                        Err(failure) => {
                            match self.fail_over(failure, hop, &account, call, &mut tried).await {
                                Next::Account => {}
                                Next::Platform => break,
                                Next::Never => return Err(tried.verdict(route)),
                            }
                        }
                    }
                }
            }
            if let Some(lacks) = tried.lacks()
                && !route.hops.iter().any(|hop| Exchange::can(&hop.platform, &hop.model, ask))
            {
                return Err(lacks.clone().into());
            }
            if route.pin.is_none()
                && tried.may_buy()
                && waited.elapsed() < patience
                // Boxed: large, and seldom needed.
                && let Some(first) = Box::pin(self.buy(caller, ask, route, call, &mut tried)).await?
            {
                return Ok(first);
            }
            if !tried.is_busy() || waited.elapsed() >= self.parts.lease_wait {
                return Err(tried.verdict(route));
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, self.parts.books.settled()).await;
            tried.look_again();
        }
    }

    /// Takes in a failed attempt: for the account, the books, and the way on.
    async fn fail_over(
        &self,
        mut failure: Failure,
        hop: &Hop,
        account: &Account,
        call: &mut Call,
        tried: &mut Tried,
    ) -> Next {
        let next = failure.next(hop);
        let used = call.use_of(&mut failure).await;
        let now = clock::now();
        let granted_at = call.attempt_failed(&failure, &used);
        self.bear(&failure, hop, account, granted_at, now).await;
        let reader = call.reader(account);
        let platform = account.platform.clone();
        tried.failed(account.id, failure.into_call_error(platform, account.id, reader, now));
        next
    }

    fn relay(&self, first: First, mut call: Call) -> Relayed {
        let First { begun, hop, account } = first;
        let attempts = call.attempts();
        let content = match begun {
            Begun::Whole(answer) => {
                let Answer { body, usage, produced } = answer;
                call.answered(&body);
                call.close("ok", Ending::Complete { usage, produced });
                Content::Whole(body)
            }
            Begun::Stream(opened) => {
                call.stream_opened();
                let gap = self.client.gap();
                let draining = self.drains(&hop.platform);
                let keep_alive = self.parts.keep_alive;
                let stream = RelayStream::new(*opened, call, gap, keep_alive, draining);
                Content::Stream(Box::new(stream))
            }
        };
        Relayed {
            account,
            billing: if account.is_some() { Billing::Quota } else { Billing::Points },
            hop,
            attempts,
            content,
        }
    }
}

/// The first answer, on its way.
pub(super) struct First {
    pub(super) begun: Begun,
    pub(super) hop: Hop,
    /// `None`: one of the operator's keys.
    pub(super) account: Option<AccountId>,
}
