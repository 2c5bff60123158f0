//! `GET /api/v1/points`: the caller's balance, and what moved it.

use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::typed;
use super::ask::Query;
use super::me::{Balance, balance};
use super::page::{self, Page, PageAsk};
use super::{ApiError, App, Request, Response};
use crate::accounts::{EntryKind, Points, PointsEntry};
use crate::relay::Caller;

/// A balance, and its ledger, newest first.
#[derive(Serialize, JsonSchema)]
pub struct PointsView {
    points: Balance,
    #[serde(flatten)]
    ledger: Page<EntryView>,
}

/// One entry of a ledger.
#[derive(Serialize, JsonSchema)]
pub struct EntryView {
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    /// `grant`, `exact`, `estimated` or `correction`.
    #[schemars(with = "String")]
    kind: EntryKind,
    /// By how much the balance moved: spending is below zero.
    #[schemars(with = "String")]
    points: Points,
    /// The balance after it.
    #[schemars(with = "String")]
    balance: Points,
    /// The operator's words, or `PLATFORM/MODEL`.
    note: String,
}

/// The caller's points.
pub async fn show_points(
    app: &App,
    caller: &Caller,
    request: &Request,
) -> Result<Response, ApiError> {
    let ask = PageAsk::read(&Query::read(request, &page::QUERY)?)?;
    let store = &app.gateway.parts.store;
    let found = store.points_ledger(caller.user(), ask.before.as_deref(), ask.look()).await;
    let page = ask.page(found.map_err(ApiError::store)?, |entry| &entry.cursor);
    let view = PointsView { points: balance(app, caller).await?, ledger: page.map(EntryView::of) };
    Ok(typed(StatusCode::OK, &view))
}

impl EntryView {
    fn of(entry: PointsEntry) -> Self {
        let PointsEntry { at, kind, points, balance, note, .. } = entry;
        Self { at, kind, points, balance, note }
    }
}
