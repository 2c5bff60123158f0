//! Signing and sending one attempt's request.
//!
//! A proof that tells the time is refused by a platform whose clock is far from ours. Every
//! answer to such a request says how far (`Date`); from a minute on that is an alarm, and one
//! that is refused is signed once more, by the platform's own clock. No account is to blame.

use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderValue, USER_AGENT};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use jiff::{SignedDuration, Timestamp};

use super::call::Call;
use super::failure::Failure;
use super::gateway::Gateway;
use super::ready::unfit;
use crate::platforms::{Credential, CredentialError, Face, Platform, Proof, UpstreamRequest};
use crate::telemetry::Metrics;
use crate::telemetry::clock;
use crate::telemetry::events::ClockSkewed;
use crate::upstream::{self, Reply};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// Clocks that are no further apart are not spoken of.
const TOLERATED: SignedDuration = SignedDuration::from_secs(60);

/// One alarm in so long is enough.
const BETWEEN_ALARMS_MS: i64 = 60_000;

/// When this gateway last raised an alarm about clocks.
#[derive(Default)]
pub(super) struct Clocks {
    told_at_ms: AtomicI64,
}

impl Gateway {
    /// Proves a request by the account's credential and sends it.
    pub(super) async fn send(
        &self,
        mut request: UpstreamRequest,
        credential: Credential,
        now: Timestamp,
        platform: &Platform,
        face: &Face,
        call: &mut Call,
    ) -> Result<(Proof, Reply), Failure> {
        if !platform.may_be_sent_to(&request.url) {
            return Err(Failure::Unusable("the address is not among its api_origins".into()));
        }
        let spare = face.credential.scheme.tells_time().then(|| request.clone());
        let proof = credential.prove(face, now, &mut request).map_err(unsigned)?;
        call.sending();
        let reply = self.send_proved(request).await?;
        let Some(mut spare) = spare else { return Ok((proof, reply)) };
        let Some(ahead) = ahead(&reply.headers, clock::now()) else { return Ok((proof, reply)) };
        self.parts.clocks.heard(&self.parts.metrics, &platform.id, ahead);
        if reply.status != StatusCode::FORBIDDEN || ahead.abs() <= TOLERATED {
            return Ok((proof, reply));
        }
        let proof = proof.again(face, clock::now() + ahead, &mut spare).map_err(unsigned)?;
        Ok((proof, self.send_proved(spare).await?))
    }

    async fn send_proved(&self, request: UpstreamRequest) -> Result<Reply, Failure> {
        let streams = request.streams;
        let request = to_request(request);
        let answered = if streams {
            self.client.open_stream(request).await
        } else {
            self.client.open_whole(request).await
        };
        answered.map_err(Failure::Send)
    }
}

fn unsigned(error: CredentialError) -> Failure {
    unfit(&error)
}

impl Clocks {
    fn heard(&self, metrics: &Metrics, platform: &str, ahead: SignedDuration) {
        let seconds = ahead.as_secs();
        let now = clock::now_ms();
        let told_at = self.told_at_ms.load(Ordering::Relaxed);
        let is_due = ahead.abs() > TOLERATED && now - told_at >= BETWEEN_ALARMS_MS;
        let alarm = is_due
            && self
                .told_at_ms
                .compare_exchange(told_at, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        ClockSkewed { metrics, platform, seconds, alarm }.emit();
    }
}

/// How far the platform's clock is ahead of ours, if its answer tells.
fn ahead(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    let date = jiff::fmt::rfc2822::parse(headers.get(DATE)?.to_str().ok()?).ok()?;
    Some(date.timestamp().duration_since(now))
}

/// Headers are ours alone: nothing that the caller sent is copied.
fn to_request(sent: UpstreamRequest) -> Request<Full<Bytes>> {
    let accept = if sent.streams { EVENTS } else { JSON };
    let mut request = Request::new(Full::new(sent.body));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = sent.url;
    *request.headers_mut() = sent.headers;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(ACCEPT, accept);
    headers.insert(USER_AGENT, upstream::USER_AGENT);
    request
}
