//! `/api/v1/tokens` and `…/{id}`: the gateway tokens of the caller's user.
//!
//! A token makes none that may do more than itself, and is changed to no more than it was;
//! one that is limited to some pools or platforms changes and revokes none that reaches further.

use std::num::NonZeroU32;

use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::{no_content, typed};
use super::ask;
use super::error::Stronger;
use super::page::Page;
use super::token_ask::TokenAsk;
use super::{ApiError, App, Request, Response};
use crate::accounts::{
    Deed, GatewayTokenRow, PoolId, Scope, Spending, TokenGrant, TokenId, Tokens,
};
use crate::relay::{Caller, mint, regrant};

/// How many tokens a user has at most that are not revoked.
const MOST: usize = 500;
const UNNAMED: &str = "default";
/// How often a change is tried whose token gets another row meanwhile.
const TRIES: usize = 3;

/// A gateway token, but for its secret.
#[derive(Serialize, JsonSchema)]
pub struct GatewayTokenView {
    #[schemars(with = "i64")]
    id: TokenId,
    name: String,
    prefix: String,
    last_four: String,
    /// `chat`, `accounts:read`, `accounts:write`.
    #[schemars(with = "Vec<String>")]
    scopes: Vec<Scope>,
    /// The model names that it may call; empty: every one.
    models: Vec<String>,
    /// The platforms that it may reach; empty: every one.
    platforms: Vec<String>,
    /// The only pools that it draws from, in order; null: the personal one, then the teams'.
    #[schemars(with = "Option<Vec<i64>>")]
    pools: Option<Vec<PoolId>>,
    /// `fallback`: its calls may cost points once no account has quota; or `never`.
    #[schemars(with = "String")]
    points: Spending,
    /// Null: any number.
    #[schemars(with = "Option<u32>")]
    requests_per_minute: Option<NonZeroU32>,
    /// Null: any number.
    #[schemars(with = "Option<u64>")]
    tokens_per_day: Option<Tokens>,
    /// Whether requests and answers are kept with its records, sealed.
    keep_bodies: bool,
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// Null: it is good until it is revoked.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<Timestamp>,
    /// To the minute; null: never.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    last_used_at: Option<Timestamp>,
}

/// A gateway token that was made, and its secret.
#[derive(Serialize, JsonSchema)]
pub struct MintedView {
    /// What callers send as their API key. It is shown this once.
    token: String,
    #[serde(flatten)]
    view: GatewayTokenView,
}

impl GatewayTokenView {
    fn of(row: GatewayTokenRow, last_used_at: Option<Timestamp>) -> Self {
        let GatewayTokenRow { grant, name, prefix, last_four, created_at, .. } = row;
        Self {
            id: grant.id,
            name,
            prefix,
            last_four,
            scopes: grant.scopes,
            models: grant.models,
            platforms: grant.platforms,
            pools: grant.only_pools,
            points: grant.points,
            requests_per_minute: grant.requests_per_minute,
            tokens_per_day: grant.tokens_per_day,
            keep_bodies: grant.keep_bodies,
            created_at,
            expires_at: grant.expires_at,
            last_used_at,
        }
    }
}

/// The rows of the caller's user, by id, but revoked ones.
async fn rows(app: &App, caller: &Caller) -> Result<Vec<GatewayTokenRow>, ApiError> {
    let rows = app.gateway.parts.store.tokens_of(caller.user()).await;
    let mut rows = rows.map_err(ApiError::store)?;
    rows.retain(|row| row.revoked_at.is_none() && row.grant.user == caller.user());
    Ok(rows)
}

/// The token of an id, if it is one of the caller's user: no other is looked at.
async fn load(app: &App, caller: &Caller, id: &str) -> Result<GatewayTokenRow, ApiError> {
    let rows = rows(app, caller).await?;
    let own = rows.into_iter().find(|row| row.grant.id.to_string() == id);
    own.ok_or(ApiError::NoSuchToken)
}

/// The same, where the caller may change or revoke it. Whoever has a token that is limited to
/// some pools or platforms has no say over what goes on in others, nor over who calls there.
async fn load_to_change(app: &App, caller: &Caller, id: &str) -> Result<GatewayTokenRow, ApiError> {
    let row = load(app, caller, id).await?;
    match row.grant.reaches_beyond(caller.grant()) {
        Some(field) if row.grant.id != caller.grant().id => {
            Err(ApiError::StrongerToken { field, than: Stronger::ThanWhoChangesIt })
        }
        _ => Ok(row),
    }
}

/// The tokens of the caller's user, by id.
pub async fn list_tokens(app: &App, caller: &Caller) -> Result<Response, ApiError> {
    let rows = rows(app, caller).await?;
    let uses = app.gateway.parts.store.token_uses(caller.user()).await.map_err(ApiError::store)?;
    let views = rows.into_iter().map(|row| {
        let used_at = uses.get(&row.grant.id).copied();
        GatewayTokenView::of(row, used_at)
    });
    Ok(typed(StatusCode::OK, &Page::whole(views.collect())))
}

/// One token.
pub async fn show_token(app: &App, caller: &Caller, id: &str) -> Result<Response, ApiError> {
    let row = load(app, caller, id).await?;
    shown(app, row).await
}

async fn shown(app: &App, row: GatewayTokenRow) -> Result<Response, ApiError> {
    let uses = app.gateway.parts.store.token_uses(row.grant.user).await;
    let used_at = uses.map_err(ApiError::store)?.get(&row.grant.id).copied();
    Ok(typed(StatusCode::OK, &GatewayTokenView::of(row, used_at)))
}

/// Makes a token.
pub async fn create_token(
    app: &App,
    caller: &Caller,
    request: &mut Request,
) -> Result<Response, ApiError> {
    let bytes = ask::read(app, request).await?;
    let mut wish: TokenAsk = ask::parse(&bytes)?;
    let name = wish.take_name()?.unwrap_or_else(|| UNNAMED.to_owned());
    let grant = wish.of_new(app, caller.grant())?;
    if let Some(field) = exceeds(&grant, caller.grant(), caller) {
        return Err(ApiError::StrongerToken { field, than: Stronger::ThanItsMaker });
    }
    if grant.scopes.contains(&Scope::Chat)
        && let Some(field) = counted(caller.grant())
    {
        return Err(ApiError::StrongerToken { field, than: Stronger::BesideItsMaker });
    }
    if rows(app, caller).await?.len() >= MOST {
        return Err(ApiError::TooManyTokens { most: MOST });
    }
    let parts = &app.gateway.parts;
    let id = parts.store.reserve_token_id().await.map_err(ApiError::store)?;
    let minted = mint(&parts.vault, TokenGrant { id, ..grant }, name);
    let (token, row) = minted.map_err(ApiError::NoRandom)?;
    // The log before the grant.
    app.write_down(deed(caller, &row, "token.create")).await?;
    parts.store.add_token(row.clone()).await.map_err(ApiError::store)?;
    let token = token.expose_secret().to_owned();
    let view = GatewayTokenView::of(row, None);
    Ok(typed(StatusCode::CREATED, &MintedView { token, view }))
}

/// Renames a token, or tightens its limits.
pub async fn change_token(
    app: &App,
    caller: &Caller,
    request: &mut Request,
    id: &str,
) -> Result<Response, ApiError> {
    let bytes = ask::read(app, request).await?;
    let parts = &app.gateway.parts;
    for _ in 0..TRIES {
        let row = load_to_change(app, caller, id).await?;
        let mut wish: TokenAsk = ask::parse(&bytes)?;
        let name = wish.take_name()?.unwrap_or_else(|| row.name.clone());
        let grant = wish.of_changed(app, &row.grant)?;
        if let Some(field) = exceeds(&grant, &row.grant, caller) {
            return Err(ApiError::StrongerToken { field, than: Stronger::ThanItWas });
        }
        let changed = regrant(&parts.vault, &row, grant, name).map_err(|error| {
            tracing::error!(token = row.grant.id.0, %error, "a token's row does not carry our MAC");
            ApiError::NoSuchToken
        })?;
        // It may get a row under another key of the ring just now.
        if parts.store.change_token(&row, changed.clone()).await.map_err(ApiError::store)? {
            parts.callers.forget(row.grant.id);
            app.write_down(deed(caller, &changed, "token.change")).await?;
            return shown(app, changed).await;
        }
    }
    Err(ApiError::TokenChanged)
}

/// Revokes a token.
pub async fn revoke_token(app: &App, caller: &Caller, id: &str) -> Result<Response, ApiError> {
    let row = load_to_change(app, caller, id).await?;
    let parts = &app.gateway.parts;
    let revoked = parts.store.revoke_token(row.grant.id).await.map_err(ApiError::store)?;
    parts.callers.forget(row.grant.id);
    if !revoked {
        return Err(ApiError::NoSuchToken);
    }
    app.write_down(deed(caller, &row, "token.revoke")).await?;
    Ok(no_content())
}

/// The first field in which a grant allows more than another one; of pools, also than the
/// caller itself draws from.
fn exceeds(grant: &TokenGrant, other: &TokenGrant, caller: &Caller) -> Option<&'static str> {
    let pools = grant.only_pools.iter().flatten();
    let is_new = |pool: &&PoolId| !other.only_pools.as_ref().is_some_and(|own| own.contains(pool));
    let is_strange = |pool: &PoolId| !caller.pools().contains(pool);
    grant.exceeds(other).or_else(|| pools.filter(is_new).any(is_strange).then_some("pools"))
}

/// What of a token's use is counted against a limit: each token has a count of its own.
fn counted(grant: &TokenGrant) -> Option<&'static str> {
    let rate = grant.requests_per_minute.map(|_| "requests_per_minute");
    rate.or(grant.tokens_per_day.map(|_| "tokens_per_day"))
}

/// What a caller does to a token, for the audit log.
fn deed(caller: &Caller, row: &GatewayTokenRow, action: &str) -> Deed {
    Deed::new(caller.doer(), action, "token", row.grant.id)
        .of(row.grant.user)
        .with("name", &row.name)
        .with("last_four", &row.last_four)
}
