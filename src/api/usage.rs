//! `GET /api/v1/usage`: what the caller's calls add up to.

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
use super::{ApiError, App, Request, Response};
use crate::accounts::{By, Report, csv};
use crate::relay::Caller;
use crate::telemetry::clock;

/// The query of a report.
pub(super) const QUERY: [&str; 4] = ["from", "to", "by", "format"];

const DAYS: i64 = 30;
const USUAL: [By; 3] = [By::Day, By::Platform, By::Model];
/// A caller's report is of one user.
const MAY_BE: [By; 5] = [By::Day, By::Token, By::Account, By::Platform, By::Model];
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
    let by = by(&query)?;
    let is_csv = match query.text("format").unwrap_or("json") {
        "json" => false,
        "csv" => true,
        _ => return Err(bad("format", "It must be json or csv.")),
    };
    let totals = app.gateway.parts.store.totals_of(caller.user(), from, to).await;
    let mut report = Report::new(by.clone());
    for total in totals.map_err(ApiError::store)? {
        report.add(total);
    }
    let rows = report.rows(|_| None);
    if is_csv {
        let mut response = whole(StatusCode::OK, CSV, csv(Report::HEAD, rows));
        response.headers_mut().insert(CONTENT_DISPOSITION, AS_FILE);
        return Ok(response);
    }
    let by = by.into_iter().map(By::word).collect();
    let rows = Page::whole(rows.iter().map(Report::facts).collect());
    Ok(typed(StatusCode::OK, &UsageView { from, to, by, rows }))
}

fn by(query: &Query) -> Result<Vec<By>, ApiError> {
    let Some(text) = query.text("by") else { return Ok(USUAL.to_vec()) };
    let words = text.split(',').map(|word| MAY_BE.into_iter().find(|by| by.word() == word));
    words
        .collect::<Option<_>>()
        .ok_or_else(|| bad("by", format!("It must be some of {}.", MAY_BE.map(By::word).join(","))))
}
