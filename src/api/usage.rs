//! `GET /api/v1/usage`: what the caller's calls add up to, or all calls on a pool's accounts.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, HeaderValue};
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::answer::{typed, whole};
use super::ask::{Query, bad};
use super::page::Page;
use super::pools::own;
use super::{ApiError, App, PoolError, Request, Response};
use crate::accounts::{AccountId, By, PoolId, Report, TeamRole, Total, User, csv};
use crate::relay::Caller;
use crate::telemetry::clock;

/// The query of a report.
pub(super) const QUERY: [&str; 5] = ["from", "to", "by", "format", "pool"];

const DAYS: i64 = 30;
const USUAL: [By; 3] = [By::Day, By::Platform, By::Model];
/// A caller's report is of one user.
const MAY_BE: [By; 5] = [By::Day, By::Token, By::Account, By::Platform, By::Model];
/// Of a pool. Tokens are their users' own.
const OF_POOL: [By; 5] = [By::Day, By::User, By::Account, By::Platform, By::Model];
/// How many users' totals are read at a time.
const TOGETHER: usize = 16;
const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");
const AS_FILE: HeaderValue = HeaderValue::from_static("attachment; filename=\"usage.csv\"");

/// A report; its rows have what they are told apart by, and counts.
#[derive(Serialize, JsonSchema)]
pub struct UsageView {
    #[schemars(with = "String", extend("format" = "date"))]
    from: Date,
    #[schemars(with = "String", extend("format" = "date"))]
    to: Date,
    by: Vec<&'static str>,
    #[serde(flatten)]
    #[schemars(with = "Page<UsageRow>")]
    rows: Page<Value>,
}

/// A row of a report. Tokens of the prompt include cached ones, those of the answer
/// reasoning.
#[derive(Serialize, JsonSchema)]
pub struct UsageRow {
    #[schemars(extend("format" = "date"))]
    day: Option<String>,
    token: Option<i64>,
    /// A member's name.
    member: Option<String>,
    account: Option<i64>,
    platform: Option<String>,
    model: Option<String>,
    calls: u64,
    attempts: u64,
    input: u64,
    cache_read: u64,
    cache_write: u64,
    output: u64,
    reasoning: u64,
    /// Charged by the platform's figures.
    exact: u64,
    /// Charged by our estimates.
    estimated: u64,
}

/// The caller's totals.
pub async fn show_usage(
    app: &App,
    caller: &Caller,
    request: &Request,
) -> Result<Response, ApiError> {
    let query = Query::read(request, &QUERY)?;
    let today = TimeZone::UTC.to_datetime(clock::now()).date();
    let day = "a date as 2026-01-31";
    let to: Date = query.value("to", day)?.unwrap_or(today);
    let from = query.value("from", day)?.unwrap_or_else(|| to.saturating_sub(DAYS.days()));
    if from > to {
        return Err(bad("from", "It must not come after `to`."));
    }
    let pool = query.text("pool").map(|id| own(caller, id)).transpose()?;
    let by = by(&query, pool.is_some())?;
    if pool.is_some_and(|(_, role)| role != TeamRole::Owner) && by.contains(&By::User) {
        return Err(PoolError::NotOwner.into());
    }
    let is_csv = match query.text("format").unwrap_or("json") {
        "json" => false,
        "csv" => true,
        _ => return Err(bad("format", "It must be json or csv.")),
    };
    let (totals, people) = match pool {
        Some((pool, _)) => of_pool(app, caller, pool, from, to).await?,
        None => {
            let own = app.gateway.parts.store.totals_of(caller.user(), from, to).await;
            (own.map_err(ApiError::store)?, Vec::new())
        }
    };
    let mut report = Report::new(by.clone());
    totals.into_iter().for_each(|total| report.add(total));
    let name = |id| people.iter().find(|user: &&User| user.id == id).map(|user| user.name.clone());
    let rows = report.rows(name);
    if is_csv {
        let head = Report::HEAD.map(|word| if word == "user" { MEMBER } else { word });
        let mut response = whole(StatusCode::OK, CSV, csv(head, rows));
        response.headers_mut().insert(CONTENT_DISPOSITION, AS_FILE);
        return Ok(response);
    }
    let by = by.into_iter().map(word).collect();
    let rows = Page::whole(rows.iter().map(facts).collect());
    Ok(typed(StatusCode::OK, &UsageView { from, to, by, rows }))
}

/// What everybody who ever was a member used of the accounts that a pool has now.
async fn of_pool(
    app: &App,
    caller: &Caller,
    pool: PoolId,
    from: Date,
    to: Date,
) -> Result<(Vec<Total>, Vec<User>), ApiError> {
    let parts = &app.gateway.parts;
    let store = &parts.store;
    let accounts = store.accounts_in(&[pool], &parts.zones.resets()).await;
    let accounts: BTreeSet<AccountId> =
        accounts.map_err(ApiError::store)?.iter().map(|state| state.account.id).collect();
    let mut members = store.ever_members_of(pool).await.map_err(ApiError::store)?;
    if members.is_empty() {
        members.push(caller.user());
    }
    let mut totals = Vec::new();
    for some in members.chunks(TOGETHER) {
        let read = some.iter().map(|&user| store.totals_of(user, from, to));
        let read = try_join_all(read).await.map_err(ApiError::store)?;
        totals.extend(read.into_iter().flatten());
    }
    totals.retain(|total| total.key.account.is_some_and(|account| accounts.contains(&account)));
    Ok((totals, store.users_among(&members).await.map_err(ApiError::store)?))
}

/// A member, where others say user.
const MEMBER: &str = "member";

fn word(by: By) -> &'static str {
    if by == By::User { MEMBER } else { by.word() }
}

fn facts(row: &[String; 15]) -> Value {
    let mut facts = Report::facts(row);
    if let Some(user) = facts.as_object_mut().and_then(|facts| facts.remove("user")) {
        facts[MEMBER] = user;
    }
    facts
}

fn by(query: &Query, of_pool: bool) -> Result<Vec<By>, ApiError> {
    let Some(text) = query.text("by") else { return Ok(USUAL.to_vec()) };
    let may_be = if of_pool { OF_POOL } else { MAY_BE };
    let words = text.split(',').map(|text| may_be.into_iter().find(|by| word(*by) == text));
    words.collect::<Option<_>>().ok_or_else(|| {
        let said = format!("It must be some of {}", may_be.map(word).join(","));
        let more = if of_pool { "." } else { "; with `pool` also member, and not token." };
        bad("by", format!("{said}{more}"))
    })
}
