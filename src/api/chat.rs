//! `POST /v1/chat/completions` and `POST /api/v1/oauth/chat/completions`.

use http::HeaderMap;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::body::Incoming;

use super::answer::{JSON, NO_STORE};
use super::{ApiError, App, Body, Request, Response, body};
use crate::accounts::{AccountId, Billing};
use crate::front::{BadRequest, ChatRequest};
use crate::relay::{CallError, Caller, Content, Relayed};
use crate::telemetry::clock::Stopwatch;

// Constants: a name that is read at each use is allocated each time.
const ACCOUNT_ID: HeaderName = HeaderName::from_static("x-account-id");
const ACCOUNT: HeaderName = HeaderName::from_static("x-tributary-account");
const PLATFORM: HeaderName = HeaderName::from_static("x-tributary-platform");
const MODEL: HeaderName = HeaderName::from_static("x-tributary-model");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-tributary-attempts");
const BILLING: HeaderName = HeaderName::from_static("x-tributary-billing");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");
const QUOTA: HeaderValue = HeaderValue::from_static("quota");
const POINTS: HeaderValue = HeaderValue::from_static("points");

/// OpenAI's chat completions.
pub async fn chat_completions(
    app: &App,
    caller: &Caller,
    request: &mut Request,
    request_id: &str,
    arrived: Stopwatch,
) -> Result<Response, ApiError> {
    let ask = parse(app, request.body_mut()).await?;
    let pin = pin(request.headers(), &ask)?;
    let relayed =
        app.gateway.chat(caller, &ask, pin, request.headers(), request_id, arrived).await?;
    Ok(answer(relayed))
}

/// The same for one account: `account_id` is required, `model` is not.
pub async fn oauth_chat_completions(
    app: &App,
    caller: &Caller,
    request: &mut Request,
    request_id: &str,
    arrived: Stopwatch,
) -> Result<Response, ApiError> {
    let ask = parse(app, request.body_mut()).await?;
    let Some(pin) = pin(request.headers(), &ask)? else {
        let missing = BadRequest::field("account_id", "You must name the account.");
        return Err(CallError::Bad(missing).into());
    };
    let headers = request.headers();
    let relayed = app.gateway.chat(caller, &ask, Some(pin), headers, request_id, arrived).await?;
    Ok(answer(relayed))
}

async fn parse(app: &App, incoming: &mut Incoming) -> Result<ChatRequest, ApiError> {
    let bytes = body::read(app, incoming).await?;
    ChatRequest::parse(bytes).map_err(|bad| CallError::Bad(bad).into())
}

/// The account that the body or the header pins.
fn pin(headers: &HeaderMap, ask: &ChatRequest) -> Result<Option<AccountId>, ApiError> {
    let header = match headers.get(ACCOUNT_ID) {
        None => None,
        Some(value) => {
            let id = value.to_str().ok().and_then(|text| text.trim().parse().ok());
            Some(AccountId(id.ok_or(ApiError::BadAccountId)?))
        }
    };
    let field = ask.account_id().map(AccountId);
    match (header, field) {
        (Some(one), Some(other)) if one != other => Err(ApiError::BadAccountId),
        _ => Ok(field.or(header)),
    }
}

fn answer(relayed: Relayed) -> Response {
    let (body, kind) = match relayed.content {
        Content::Whole(bytes) => (Body::Whole(bytes), JSON),
        Content::Stream(stream) => (Body::Stream(stream), EVENTS),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.reserve(10);
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, NO_STORE);
    if let Some(account) = relayed.account {
        headers.insert(ACCOUNT, HeaderValue::from(account.0));
    }
    if let Ok(platform) = HeaderValue::from_str(&relayed.hop.platform.id) {
        headers.insert(PLATFORM, platform);
    }
    if let Ok(model) = HeaderValue::from_str(&relayed.hop.model.upstream) {
        headers.insert(MODEL, model);
    }
    headers.insert(ATTEMPTS, HeaderValue::from(relayed.attempts));
    let billing = match relayed.billing {
        Billing::Quota => QUOTA,
        Billing::Points => POINTS,
    };
    headers.insert(BILLING, billing);
    response
}
