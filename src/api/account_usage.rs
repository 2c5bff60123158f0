//! `GET /api/v1/oauth/accounts/{id}/usage`: the caller's calls on an account.

use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::typed;
use super::ask::Query;
use super::page::{self, PageAsk};
use super::{ApiError, App, Request, Response, accounts};
use crate::accounts::{AccountId, Charge, Record, Tokens};
use crate::relay::Caller;
use crate::vault::{Said, Vault};

/// One call, as far as it was on this account.
#[derive(Serialize, JsonSchema)]
pub struct RecordView {
    /// The request's id, as its answer's `x-request-id`.
    id: String,
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    /// The model that was asked for.
    model: String,
    /// Its name on the platform.
    upstream_model: Option<String>,
    streamed: bool,
    /// Prompt tokens, cached ones included; 0 where another account answered.
    #[schemars(with = "u64")]
    input_tokens: Tokens,
    /// Answer tokens, reasoning included.
    #[schemars(with = "u64")]
    output_tokens: Tokens,
    /// Of the prompt, read from the platform's cache.
    #[schemars(with = "u64")]
    cached_tokens: Tokens,
    /// Of the answer, reasoning.
    #[schemars(with = "u64")]
    reasoning_tokens: Tokens,
    #[schemars(with = "u64")]
    total_tokens: Tokens,
    /// What the account was charged.
    #[schemars(with = "u64")]
    charged_tokens: Tokens,
    /// Whether the counts are ours rather than the platform's.
    estimated: bool,
    /// How the attempt on this account failed; null: it did not.
    error: Option<String>,
    /// How the call ended: `ok`, `hangup`, or an error's code.
    outcome: String,
    /// From the request's arrival to the answer's last byte.
    latency_ms: u64,
    /// From the request's arrival to the answer's first byte.
    first_byte_ms: Option<u64>,
    /// The request's body, where the token that made it asks and keeps that, and the key that
    /// it was sealed under is in the ring.
    request: Option<String>,
    /// The answer's body; a stream's events.
    response: Option<String>,
    /// Whether only the beginning of one of them is kept.
    is_cut: bool,
}

/// The caller's records on an account, newest first.
pub async fn account_usage(
    app: &App,
    caller: &Caller,
    request: &Request,
    id: &str,
) -> Result<Response, ApiError> {
    let ask = PageAsk::read(&Query::read(request, &page::QUERY)?)?;
    let account = accounts::load(app, caller, id).await?;
    let (store, vault) = (&app.gateway.parts.store, &app.gateway.parts.vault);
    let (user, before) = (caller.user(), ask.before.as_deref());
    let found = store.records_on(user, account.id(), before, ask.look()).await;
    let page = ask.page(found.map_err(ApiError::store)?, |record| &record.id);
    Ok(typed(
        StatusCode::OK,
        &page.map(|record| {
            // Another token of the same user may lie with somebody else's program.
            let is_own = record.token == caller.token();
            RecordView::of(record, account.id(), is_own.then_some(vault))
        }),
    ))
}

impl RecordView {
    /// A record of the caller's own; with the vault what was said, too.
    fn of(record: Record, account: AccountId, vault: Option<&Vault>) -> Self {
        let said = |said, sealed: &str| {
            let plain = vault?.open_words(record.user.0, &record.id, said, sealed).ok()?;
            // What is cut may end within a letter.
            Some(String::from_utf8_lossy(plain.expose_secret()).into_owned())
        };
        let kept = record.bodies.as_ref();
        let request = kept.and_then(|kept| said(Said::Request, &kept.request));
        let response = kept.and_then(|kept| said(Said::Response, &kept.response));
        let is_cut = kept.is_some_and(|kept| kept.cut);
        let here = || record.attempts.iter().filter(|attempt| attempt.account == account);
        let charged = here().map(|attempt| match attempt.charge {
            Charge::Release => Tokens::ZERO,
            Charge::Exact(tokens) | Charge::Estimated(tokens) => tokens,
        });
        let charged = charged.sum();
        let (upstream_model, outcome) = here()
            .next_back()
            .map(|attempt| (attempt.model.to_string(), attempt.outcome.to_string()))
            .unzip();
        let is_last = record.attempts.last().is_some_and(|last| last.account == account);
        let own = |tokens| if is_last { tokens } else { Tokens::ZERO };
        Self {
            id: record.id,
            at: record.at,
            model: record.model,
            upstream_model,
            streamed: record.streamed,
            input_tokens: own(record.input),
            output_tokens: own(record.output),
            cached_tokens: own(record.cache_read),
            reasoning_tokens: own(record.reasoning),
            total_tokens: own(record.input + record.output),
            charged_tokens: charged,
            estimated: record.estimated,
            error: outcome.filter(|outcome| !["ok", "hangup"].contains(&outcome.as_str())),
            outcome: record.outcome.into_owned(),
            latency_ms: record.took_ms,
            first_byte_ms: record.first_byte_ms,
            request,
            response,
            is_cut,
        }
    }
}
