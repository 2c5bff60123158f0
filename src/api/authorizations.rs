//! `POST …/accounts/authorize`, `…/{id}/reauthorize` and `…/sessions/{sid}`: logins.
//!
//! No platform is bound by a login here: each is refused with the key that binds it instead.
//! There is no session, whatever it is called.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{ApiError, App, Request, Response, accounts, ask, platforms};
use crate::authorize::key_help;
use crate::platforms::Platform;
use crate::relay::Caller;

/// An authorization to begin.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what is named is known, though no login is offered")]
pub struct AuthorizeAsk {
    platform: String,
    #[serde(alias = "name")]
    account_name: Option<String>,
    method: Option<String>,
    account_id: Option<i64>,
    #[schemars(with = "Option<std::collections::BTreeMap<String, String>>")]
    credentials: Option<IgnoredAny>,
    display: Option<String>,
}

/// Begins an authorization.
pub async fn authorize_account(
    app: &App,
    caller: &Caller,
    request: &mut Request,
) -> Result<Response, ApiError> {
    let bytes = ask::read(app, request).await?;
    let wish: AuthorizeAsk = ask::parse(&bytes)?;
    Err(not_offered(platforms::known(app, caller, &wish.platform)?))
}

/// Begins an authorization of an account that is bound.
pub async fn reauthorize_account(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<Response, ApiError> {
    let account = accounts::load_to_change(app, caller, id).await?;
    let platform = account.state().account.platform.clone();
    Err(not_offered(platforms::known(app, caller, platform.as_str())?))
}

fn not_offered(platform: &Platform) -> ApiError {
    let help = platform.face(None).map(|face| key_help(&face.credential)).unwrap_or_default();
    ApiError::MethodNotOffered { platform: platform.id.clone(), name: platform.name.clone(), help }
}

/// An authorization's state.
pub fn show_session() -> Result<Response, ApiError> {
    Err(ApiError::NoSession)
}

/// Gives an authorization up.
pub fn end_session() -> Result<Response, ApiError> {
    Err(ApiError::NoSession)
}
