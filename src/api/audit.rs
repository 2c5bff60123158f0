//! `GET /api/v1/audit`: who did what to the caller's things, and what the caller did. `GET
//! /api/v1/admin/audit`: the whole log, or one user's part of it, for operators.

use std::collections::BTreeMap;

use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::admin::user_of;
use super::answer::typed;
use super::ask::Query;
use super::page::{self, PageAsk};
use super::{ApiError, App, Request, Response};
use crate::accounts::{AuditRow, Deed, UserId};
use crate::relay::Caller;
use crate::store::write_down;

/// One row of the audit log.
#[derive(Serialize, JsonSchema)]
pub struct AuditView {
    /// Its number in the whole log.
    seq: i64,
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    /// `user:ID`, `operator` (the command line) or `gateway`.
    who: String,
    /// With what: `token:ID`, `session:ID`, `cli` or `gateway`.
    by: String,
    /// What was done, as `account.bind`.
    action: String,
    target: Target,
    /// Facts, each a text.
    details: BTreeMap<String, String>,
    #[serde(skip)]
    cursor: String,
}

/// One row of the audit log, as operators see it.
#[derive(Serialize, JsonSchema)]
pub struct WholeAuditView {
    #[serde(flatten)]
    row: AuditView,
    /// Whose that is which it was done to, where it is a user's.
    #[schemars(with = "Option<i64>")]
    user_id: Option<UserId>,
}

/// What something was done to.
#[derive(Serialize, JsonSchema)]
pub struct Target {
    /// As `account` or `token`.
    kind: String,
    id: String,
}

/// The caller's part of the log, newest first.
pub async fn show_audit(
    app: &App,
    caller: &Caller,
    request: &Request,
) -> Result<Response, ApiError> {
    let ask = PageAsk::read(&Query::read(request, &page::QUERY)?)?;
    let found = look(app, Some(caller.user()), &ask).await?;
    let rows = found.into_iter().map(AuditView::of).collect();
    Ok(typed(StatusCode::OK, &ask.page(rows, |row: &AuditView| &row.cursor)))
}

/// The log, newest first: all of it, or what `tributary audit --user` shows. Rows are facts, so
/// that an operator learns no credential and nothing that was asked or answered.
pub async fn show_whole_audit(app: &App, request: &Request) -> Result<Response, ApiError> {
    let query = Query::read(request, &["before", "limit", "user_id"])?;
    let ask = PageAsk::read(&query)?;
    let reader = match query.text("user_id") {
        Some(id) => Some(user_of(app, id).await?.id),
        None => None,
    };
    let found = look(app, reader, &ask).await?;
    let rows = found.into_iter().map(WholeAuditView::of).collect();
    Ok(typed(StatusCode::OK, &ask.page(rows, |view: &WholeAuditView| &view.row.cursor)))
}

async fn look(app: &App, reader: Option<UserId>, ask: &PageAsk) -> Result<Vec<AuditRow>, ApiError> {
    let before = match ask.before.as_deref().map(str::parse) {
        None => None,
        Some(Ok(seq)) => Some(seq),
        // A cursor that is none finds nothing.
        Some(Err(_)) => Some(0),
    };
    let store = &app.gateway.parts.store;
    store.audit_of(reader, before, ask.look()).await.map_err(ApiError::store)
}

impl WholeAuditView {
    fn of(row: AuditRow) -> Self {
        Self { user_id: row.deed.whose, row: AuditView::of(row) }
    }
}

impl AuditView {
    fn of(row: AuditRow) -> Self {
        let AuditRow { seq, at, deed, .. } = row;
        Self {
            seq,
            at,
            who: deed.doer.who.to_string(),
            by: deed.doer.by.to_string(),
            action: deed.action,
            target: Target { kind: deed.kind, id: deed.id },
            details: deed.details,
            cursor: seq.to_string(),
        }
    }
}

impl App {
    /// Writes a deed into the audit log. What would grant something is written down before
    /// it is done, all else once it is.
    pub(super) async fn write_down(&self, deed: Deed) -> Result<(), ApiError> {
        let parts = &self.gateway.parts;
        write_down(&*parts.store, &parts.vault, deed).await.map_err(ApiError::store)
    }
}
