//! `GET /api/v1/notices`, `POST …/{notice}/read`: what the caller should know of its accounts.

use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::{no_content, typed};
use super::ask::Query;
use super::page::PageAsk;
use super::{ApiError, App, Request, Response};
use crate::accounts::{AccountId, Matter, Notice, PlatformId, Stage, Tokens};
use crate::relay::Caller;
use crate::store::Reading;

const QUERY: [&str; 3] = ["before", "limit", "unread"];

/// A notice about an account of the caller's pools.
#[derive(Serialize, JsonSchema)]
pub struct NoticeView {
    id: i64,
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Timestamp,
    /// `quota`, `credential_ends` or `stopped`.
    kind: &'static str,
    #[schemars(with = "i64")]
    account_id: AccountId,
    account_name: String,
    #[schemars(with = "String")]
    platform: PlatformId,
    /// What it says, as a line.
    message: String,
    /// Of a quota: 70, 90 or 100.
    percent: Option<u8>,
    /// Of a quota: the window's length.
    period: Option<String>,
    /// Of a quota: what was used when it was noticed.
    #[schemars(with = "Option<u64>")]
    used: Option<Tokens>,
    /// Of a quota: of how much.
    #[schemars(with = "Option<u64>")]
    limit: Option<Tokens>,
    /// Of a quota: when the window ends.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    resets_at: Option<Timestamp>,
    /// Of a credential: `7d`, `3d`, `1d`, or `half` of a life of less than 14 days.
    #[schemars(with = "Option<String>")]
    stage: Option<Stage>,
    /// Of a credential: when it ends.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<Timestamp>,
    /// Of an account that stopped: `expired`, `banned` or `disabled`.
    status: Option<String>,
    /// Whether the caller has read it.
    read: bool,
    #[serde(skip)]
    cursor: String,
}

/// Notices about accounts of the caller's pools, newest first.
pub async fn show_notices(
    app: &App,
    caller: &Caller,
    request: &Request,
) -> Result<Response, ApiError> {
    let query = Query::read(request, &QUERY)?;
    let ask = PageAsk::read(&query)?;
    let unread: bool = query.value("unread", "true or false")?.unwrap_or_default();
    let reading = if unread { Reading::Unread } else { Reading::All };
    let before = match ask.before.as_deref().map(str::parse) {
        None => None,
        Some(Ok(id)) => Some(id),
        // A cursor that is none finds nothing.
        Some(Err(_)) => Some(0),
    };
    let (store, reader) = (&app.gateway.parts.store, caller.user());
    let found = store.notices_in(caller.pools(), reader, reading, before, ask.look()).await;
    let found = found.map_err(ApiError::store)?;
    let views = found.into_iter().map(|(notice, read)| NoticeView::of(notice, read)).collect();
    let page = ask.page(views, |view: &NoticeView| &view.cursor);
    let page = page.retain(|view| caller.may_reach(view.platform.as_str()));
    Ok(typed(StatusCode::OK, &page))
}

/// Marks a notice as read by the caller.
pub async fn read_notice(app: &App, caller: &Caller, id: &str) -> Result<Response, ApiError> {
    let number = id.parse().ok().filter(|number: &i64| number.to_string() == id);
    let id = number.ok_or(ApiError::NoNotice)?;
    let store = &app.gateway.parts.store;
    let read = store.read_notice(caller.pools(), caller.user(), id).await;
    if read.map_err(ApiError::store)? { Ok(no_content()) } else { Err(ApiError::NoNotice) }
}

impl NoticeView {
    fn of(notice: Notice, read: bool) -> Self {
        let (message, kind) = (notice.text(), notice.matter.kind());
        let mut view = Self {
            id: notice.id,
            at: notice.at,
            kind,
            account_id: notice.account,
            account_name: notice.name,
            platform: notice.platform,
            message,
            percent: None,
            period: None,
            used: None,
            limit: None,
            resets_at: None,
            stage: None,
            expires_at: None,
            status: None,
            read,
            cursor: notice.id.to_string(),
        };
        match notice.matter {
            Matter::Quota { percent, period, used, limit, resets_at } => {
                (view.percent, view.period) = (Some(percent), Some(period));
                (view.used, view.limit, view.resets_at) = (Some(used), Some(limit), resets_at);
            }
            Matter::CredentialEnds { stage, expires_at } => {
                (view.stage, view.expires_at) = (Some(stage), Some(expires_at));
            }
            Matter::Stopped { status } => view.status = Some(status),
        }
        view
    }
}
