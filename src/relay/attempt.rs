//! One attempt: lease, open the credential, translate, send, and hold the answer
//! until the platform has really begun.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use jiff::Timestamp;

use super::books;
use super::call::Call;
use super::conversation::Talk;
use super::error::CallError;
use super::failure::{Consequence, Failure};
use super::gateway::Gateway;
use super::ids::lease_id;
use super::lease::OpenLease;
use super::ready::ShortLived;
use super::tried::Tried;
use crate::accounts::{Account, AccountId, LeaseAsk, Policy};
use crate::front::{ByteCensus, ChatRequest};
use crate::platforms::{
    Answer, ErrorClass, Exchange, Fed, Hop, LimitsTold, PlatformError, Proof, Reader, StreamEnd,
};
use crate::store::StoreError;
use crate::telemetry::clock;
use crate::telemetry::events::{HealthMoved, LeaseGranted, LeaseRefused, StoreFailed};
use crate::upstream::{Body, Reply, SendFailure};
use crate::vault::mask;

/// An answer that has begun.
pub(super) enum Begun {
    Whole(Answer),
    Stream(Box<OpenedStream>),
}

/// A stream that has begun.
pub(super) struct OpenedStream {
    pub(super) exchange: Exchange,
    pub(super) body: Body,
    /// What it has given so far.
    pub(super) first: Bytes,
    /// To take out of the platform's words, should it repeat it.
    pub(super) proof: Proof,
    /// Who the caller is to the account.
    pub(super) reader: Reader,
    /// It has ended already.
    pub(super) end: Option<StreamEnd>,
}

impl Gateway {
    /// Leases an account, from the caller's pools in order; one that is known to be unable to do
    /// what is asked where there is no other.
    ///
    /// `None`: no pool grants one; why is noted in `tried`.
    pub(super) async fn lease(
        &self,
        talk: &Talk<'_>,
        hop: &Hop,
        pin: Option<AccountId>,
        call: &mut Call,
        tried: &mut Tried,
    ) -> Result<Option<Arc<Account>>, CallError> {
        let mut unable = self.parts.unable.of(hop, talk.ask);
        unable.retain(|account| !tried.accounts().contains(account));
        let mut leased = Ok(None);
        if !unable.is_empty() && pin.is_none() {
            leased = self.lease_but(&unable, talk, hop, pin, call, tried).await;
        }
        if matches!(leased, Ok(None)) {
            // Those that refused are asked again: one answer of each counts.
            tried.take_refusals();
            leased = self.lease_but(&[], talk, hop, pin, call, tried).await;
            if let Ok(Some(account)) = &leased
                && unable.contains(&account.id)
            {
                self.parts.unable.forget(account.id);
            }
        }
        for answer in tried.take_refusals() {
            let (metrics, platform) = (&self.parts.metrics, hop.platform.id.as_str());
            LeaseRefused { metrics, platform, answer }.emit();
        }
        leased
    }

    /// Leases an account that is none of these.
    async fn lease_but(
        &self,
        unable: &[AccountId],
        talk: &Talk<'_>,
        hop: &Hop,
        pin: Option<AccountId>,
        call: &mut Call,
        tried: &mut Tried,
    ) -> Result<Option<Arc<Account>>, CallError> {
        let parts = &self.parts;
        let lane = parts.lanes.of(hop, &parts.metrics);
        let census = call.prompt.census();
        let prompt = lane.learned.prompt(census);
        let now = clock::now();
        let resets = parts.zones.resets_at(now);
        let caller = talk.caller;
        let except = [tried.accounts(), unable].concat();
        let pools = parts.callers.pools(caller, now).await;
        for &pool in pools.inspect_err(|error| self.store_failed(error))?.iter() {
            let policy = parts.store.policy(pool).await;
            let policy = policy.inspect_err(|error| self.store_failed(error))?;
            let is_sticky = policy == Policy::Sticky && pin.is_none();
            let place = self.place(call).await?;
            let ask = LeaseAsk {
                id: lease_id(),
                user: caller.user(),
                token: caller.token(),
                pool,
                platform: &lane.platform,
                model: &hop.model.upstream,
                estimate: lane.learned.call(census, call.max_tokens),
                only: pin,
                except: &except,
                conversation: if is_sticky { talk.conversation() } else { None },
                resets: &resets,
            };
            let lease = OpenLease::ask(&ask, now, prompt, parts.books.clone(), place);
            match parts.store.lease(ask).await.inspect_err(|error| self.store_failed(error))? {
                Err(refusal) => {
                    call.give_back(lease.was_refused());
                    tried.refused(&lane.platform, refusal);
                }
                Ok(grant) => {
                    let lease = lease.granted(grant);
                    LeaseGranted { meter: &lane.meter }.emit();
                    let account = parts.store.account(grant.account).await;
                    // Gone between the two calls: it was deleted.
                    let Some(account) = account.inspect_err(|error| self.store_failed(error))?
                    else {
                        continue;
                    };
                    if !account.lies_in(pool, &lane.platform) {
                        let account = account.id.0;
                        tracing::error!(account, pool = pool.0, "it was not bound to this pool");
                        continue;
                    }
                    call.begin_attempt(lease, lane.clone(), hop.model.upstream.clone());
                    return Ok(Some(account));
                }
            }
        }
        Ok(None)
    }

    /// A place in the books, if one is free soon.
    pub(super) async fn place(&self, call: &mut Call) -> Result<books::Place, CallError> {
        match call.place_at_hand() {
            Some(place) => Ok(place),
            None => self.in_time(call.place()).await,
        }
    }

    /// Waits for a place for as long as for a lease.
    pub(super) async fn in_time(
        &self,
        place: impl Future<Output = Option<books::Place>>,
    ) -> Result<books::Place, CallError> {
        let place = tokio::time::timeout(self.parts.lease_wait, place).await;
        place.map_err(|_| books_are_full())?.ok_or(CallError::ShuttingDown)
    }

    /// Tries a leased account. A short-lived key that is refused is made anew, once.
    pub(super) async fn attempt(
        &self,
        ask: &ChatRequest,
        hop: &Hop,
        account: &Arc<Account>,
        call: &mut Call,
    ) -> Result<Begun, Failure> {
        let mut short_key = ShortLived::default();
        let first = self.attempt_with(ask, hop, account, &mut short_key, call).await;
        match first {
            Err(Failure::Platform(error)) if error.class == ErrorClass::AuthExpired => {
                if !short_key.is_refused() {
                    return Err(Failure::Platform(error));
                }
                call.was_refused();
                self.attempt_with(ask, hop, account, &mut short_key, call).await
            }
            first => first,
        }
    }

    async fn attempt_with(
        &self,
        ask: &ChatRequest,
        hop: &Hop,
        account: &Arc<Account>,
        short_key: &mut ShortLived,
        call: &mut Call,
    ) -> Result<Begun, Failure> {
        let (face, credential) = self.ready(hop, account, short_key).await?;
        let now = clock::now();
        let (mut exchange, upstream) =
            Exchange::begin(&hop.platform, &face, &hop.model, ask, now.as_second()).map_err(
                |lacks| {
                    self.parts.unable.note(account.id, &face);
                    Failure::Request(lacks)
                },
            )?;
        let streams = upstream.streams;
        let (proof, reply) =
            self.send(upstream, credential, now, &hop.platform, &face, call).await?;
        if !face.limits.is_empty() {
            let mut told = LimitsTold::read(&face, &reply.headers);
            // Of a refusal its own hint is the better one.
            told.refill = told.refill.filter(|_| reply.status.is_success());
            if !told.is_nothing() {
                call.heard(self.parts.hearing.news(account.id, told, clock::now()));
            }
        }
        let begun = if !reply.status.is_success() {
            call.was_refused();
            Err(self.refusal(&exchange, &proof, reply).await)
        } else if !streams {
            self.whole(&mut exchange, reply).await.map(FirstOutput::Whole)
        } else if is_json(&reply.headers) {
            // JSON where events were due: an error, whatever the status says.
            Err(self.refusal(&exchange, &proof, reply).await)
        } else {
            self.first_output(&mut exchange, reply).await
        };
        match begun {
            Ok(FirstOutput::Whole(answer)) => Ok(Begun::Whole(answer)),
            Ok(FirstOutput::Flows { body, first, end }) => {
                let reader = call.reader(account);
                let opened = OpenedStream { exchange, body, first, proof, reader, end };
                Ok(Begun::Stream(Box::new(opened)))
            }
            Err(failure) => Err(failure.without(&proof)),
        }
    }

    /// Reads why a platform refused.
    ///
    /// Secrets are taken out before anything reads the words: what looks like a key to a
    /// dialect may be but a part of one.
    async fn refusal(&self, exchange: &Exchange, proof: &Proof, reply: Reply) -> Failure {
        let body = self.client.glance(reply.body).await;
        let said = std::str::from_utf8(&body).unwrap_or_default();
        let said = mask(said, &proof.secrets());
        Failure::Platform(exchange.classify(reply.status, &reply.headers, said.as_bytes()))
    }

    async fn whole(&self, exchange: &mut Exchange, reply: Reply) -> Result<Answer, Failure> {
        let body = self.client.collect(reply.body).await.map_err(Failure::Send)?;
        exchange.whole(&reply.headers, body).map_err(|error| verdict_or_broken(error, exchange))
    }

    /// Reads a stream until it gives output, or to its end for a caller who wants none.
    async fn first_output(
        &self,
        exchange: &mut Exchange,
        mut reply: Reply,
    ) -> Result<FirstOutput, Failure> {
        loop {
            let frame = self.client.frame(&mut reply.body).await;
            let frame = frame.map_err(|failure| broke_off(failure, exchange))?;
            let fed = match frame.map(hyper::body::Frame::into_data) {
                Some(Ok(data)) => exchange.feed(data),
                Some(Err(_trailers)) => continue,
                None => exchange.end(),
            };
            if let Some(StreamEnd::Failed(error)) = &fed.end
                && fed.out.is_empty()
            {
                return Err(verdict_or_broken(error.clone(), exchange));
            }
            if fed.end.is_some()
                && let Some(gathered) = exchange.gathered()
            {
                return Ok(FirstOutput::Whole(gathered));
            }
            if fed.end.is_some() || !fed.out.is_empty() {
                let Fed { out: first, end } = fed;
                return Ok(FirstOutput::Flows { body: reply.body, first, end });
            }
        }
    }

    /// Lets a failure take effect on the account.
    pub(super) async fn bear(
        &self,
        failure: &Failure,
        hop: &Hop,
        account: &Account,
        granted_at: Timestamp,
        now: Timestamp,
    ) {
        let store = &self.parts.store;
        let done = match failure.consequence(now) {
            Consequence::None => Ok(()),
            Consequence::BlockModel(rest) => {
                store.block_model(account.id, &hop.model.upstream, rest).await
            }
            Consequence::Harm(harm) => {
                let status = harm.status();
                let moved = store.worsen(account.id, granted_at, harm).await;
                moved.map(|moved| {
                    if moved {
                        HealthMoved { account: account.id.0, status }.emit();
                    }
                })
            }
        };
        if let Err(error) = done {
            self.store_failed(&error);
        }
    }

    /// An account answered: its failures are forgiven, and a rest that they sent it to is
    /// over, on every gateway.
    pub(super) async fn cleared(&self, account: AccountId) {
        if let Err(error) = self.parts.store.recovered(account).await {
            self.store_failed(&error);
        }
    }

    pub(super) fn store_failed(&self, error: &crate::store::StoreError) {
        StoreFailed { metrics: &self.parts.metrics, why: &error.to_string() }.emit();
    }
}

enum FirstOutput {
    Whole(Answer),
    Flows { body: Body, first: Bytes, end: Option<StreamEnd> },
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

/// A platform's own words are a verdict; an answer that can't be read, or that broke off,
/// is none.
fn verdict_or_broken(error: PlatformError, exchange: &mut Exchange) -> Failure {
    let said = error.class != ErrorClass::UpstreamFault || error.code.is_some();
    let is_free = exchange.produced() == ByteCensus::NOTHING && exchange.usage().is_none();
    if said && (is_free || error.billed.is_some()) {
        return Failure::Platform(error);
    }
    broken(error, exchange)
}

/// A stream that broke on the way.
fn broke_off(failure: SendFailure, exchange: &mut Exchange) -> Failure {
    if exchange.produced() == ByteCensus::NOTHING {
        return Failure::Send(failure);
    }
    broken(PlatformError::fault(format!("the stream broke: {failure}")), exchange)
}

fn broken(error: PlatformError, exchange: &mut Exchange) -> Failure {
    let usage = exchange.usage();
    Failure::Broken { error, usage, produced: std::mem::take(exchange.words()) }
}

fn books_are_full() -> CallError {
    CallError::Store(StoreError::Unavailable("the books wait for the store".into()))
}
