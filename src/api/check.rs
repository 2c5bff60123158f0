//! `POST /api/v1/oauth/accounts/{id}/check`: what is wrong with an account, and what to do.

use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::typed;
use super::{ApiError, App, Response, accounts};
use crate::accounts::AccountId;
use crate::authorize::{Verdict, check};
use crate::relay::Caller;

/// What a check found.
#[derive(Serialize, JsonSchema)]
pub struct CheckView {
    #[schemars(with = "i64")]
    id: AccountId,
    verdict: Verdict,
    /// What was seen; the platform's own words for the account's owner alone.
    saw: String,
    /// What to do; null where nothing is.
    fix: Option<&'static str>,
    /// The account's status now.
    status: &'static str,
}

/// Tries an account's credential where that is free.
pub async fn check_account(app: &App, caller: &Caller, id: &str) -> Result<Response, ApiError> {
    let account = accounts::load(app, caller, id).await?;
    let (parts, state) = (&app.gateway.parts, account.state());
    let checked =
        check(&*parts.store, &parts.vault, &parts.catalogue, &app.gateway.client, state).await;
    let checked = checked.map_err(ApiError::store)?;
    let finding = &checked.finding;
    let word = serde_json::to_value(finding.verdict).unwrap_or_default();
    let deed = accounts::deed(caller, state, "account.check");
    app.write_down(deed.with_some("verdict", word.as_str())).await?;
    let view = CheckView {
        id: account.id(),
        verdict: finding.verdict,
        saw: finding.saw(caller.reads(state)),
        fix: Some(finding.fix).filter(|fix| !fix.is_empty()),
        status: checked.health.status(),
    };
    Ok(typed(StatusCode::OK, &view))
}
