//! `GET /api/v1/audit`: who did what to the caller's things, and what the caller did.

use std::collections::BTreeMap;

use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::typed;
use super::ask::Query;
use super::page::{self, PageAsk};
use super::{ApiError, App, Request, Response};
use crate::accounts::{AuditRow, Deed};
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
    let before = match ask.before.as_deref().map(str::parse) {
        None => None,
        Some(Ok(seq)) => Some(seq),
        // A cursor that is none finds nothing.
        Some(Err(_)) => Some(0),
    };
    let store = &app.gateway.parts.store;
    let found = store.audit_of(Some(caller.user()), before, ask.look()).await;
    let rows = found.map_err(ApiError::store)?.into_iter().map(AuditView::of).collect();
    Ok(typed(StatusCode::OK, &ask.page(rows, |row: &AuditView| &row.cursor)))
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
