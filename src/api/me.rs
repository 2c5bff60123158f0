//! `GET /api/v1/me`: what the caller's token may do, and what it has used of that.

use http::StatusCode;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::typed;
use super::{ApiError, App, Response};
use crate::accounts::{Points, PoolId, Purse, Scope, Spending, TokenId, Tokens, UserId};
use crate::relay::Caller;
use crate::telemetry::clock;

/// A token, its limits and what is used of them.
#[derive(Serialize, JsonSchema)]
pub struct Me {
    #[schemars(with = "i64")]
    user: UserId,
    token: TokenView,
    limits: Limits,
    day: Day,
    points: Balance,
}

/// A token, but for its secret.
#[derive(Serialize, JsonSchema)]
pub struct TokenView {
    #[schemars(with = "i64")]
    id: TokenId,
    name: String,
    prefix: String,
    last_four: String,
    /// `chat`, `accounts:read`, `accounts:write`.
    #[schemars(with = "Vec<String>")]
    scopes: Vec<Scope>,
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// Null: it is good until it is revoked.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<Timestamp>,
}

/// What a token is limited to.
#[derive(Serialize, JsonSchema)]
pub struct Limits {
    /// The model names that it may call; empty: every one.
    models: Vec<String>,
    /// The platforms that it may reach; empty: every one.
    platforms: Vec<String>,
    /// The pools that it draws from, in order.
    #[schemars(with = "Vec<i64>")]
    pools: Vec<PoolId>,
    /// Null: any number.
    requests_per_minute: Option<u32>,
    /// Null: any number.
    #[schemars(with = "Option<u64>")]
    tokens_per_day: Option<Tokens>,
    /// Whether requests and answers are kept with its records, sealed.
    keep_bodies: bool,
}

/// The token's day, in UTC.
#[derive(Serialize, JsonSchema)]
pub struct Day {
    /// Tokens used.
    used: u64,
    /// Held by requests under way, where the day is limited.
    held: u64,
    /// Null: the day is not limited.
    left: Option<i64>,
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    resets_at: Option<Timestamp>,
}

/// The user's points.
#[derive(Serialize, JsonSchema)]
pub struct Balance {
    /// Exact to a millionth.
    #[schemars(with = "String")]
    balance: Points,
    /// Of that, held by requests under way.
    #[schemars(with = "String")]
    held: Points,
    /// `fallback`: the token's calls may cost points once no account has quota; or `never`.
    #[schemars(with = "String")]
    spending: Spending,
}

/// The caller's token.
pub async fn show_me(app: &App, caller: &Caller) -> Result<Response, ApiError> {
    let (grant, label) = (caller.grant(), caller.label());
    let me = Me {
        user: caller.user(),
        token: TokenView {
            id: caller.token(),
            name: label.name.clone(),
            prefix: label.prefix.clone(),
            last_four: label.last_four.clone(),
            scopes: grant.scopes.clone(),
            created_at: label.created_at,
            expires_at: grant.expires_at,
        },
        limits: Limits {
            models: grant.models.clone(),
            platforms: grant.platforms.clone(),
            pools: caller.pools().to_vec(),
            requests_per_minute: grant.requests_per_minute.map(Into::into),
            tokens_per_day: grant.tokens_per_day,
            keep_bodies: grant.keep_bodies,
        },
        day: day(app, caller).await?,
        points: balance(app, caller).await?,
    };
    Ok(typed(StatusCode::OK, &me))
}

/// A user's points, as they are shown.
pub(super) async fn balance(app: &App, caller: &Caller) -> Result<Balance, ApiError> {
    let purse = app.gateway.parts.store.purse(&Purse::Points(caller.user())).await;
    let purse = purse.map_err(ApiError::store)?;
    let held = Points(purse.held.try_into().unwrap_or(i64::MAX));
    Ok(Balance { balance: Points(purse.left), held, spending: caller.grant().points })
}

/// By the budget's purse where there is one, else by the totals.
async fn day(app: &App, caller: &Caller) -> Result<Day, ApiError> {
    let store = &app.gateway.parts.store;
    if let Some((purse, limit)) = caller.budget() {
        let purse = store.purse(&purse).await.map_err(ApiError::store)?;
        let used = limit.signed().saturating_sub(purse.left);
        return Ok(Day {
            used: used.try_into().unwrap_or(0),
            held: purse.held,
            left: Some(purse.left),
            resets_at: purse.resets_at,
        });
    }
    let today = clock::now().to_zoned_datetime(TimeZone::UTC);
    let totals = store.totals_of(caller.user(), today.date(), today.date()).await;
    let own = totals.map_err(ApiError::store)?.into_iter();
    let own = own.filter(|total| total.key.token == caller.token());
    let used: Tokens = own.map(|total| total.counts.input + total.counts.output).sum();
    let tomorrow = today.date().tomorrow().ok();
    let resets_at = tomorrow.and_then(|date| date.to_zoned_datetime(TimeZone::UTC).ok());
    let resets_at = resets_at.map(|at| at.timestamp());
    Ok(Day { used: used.0, held: 0, left: None, resets_at })
}
