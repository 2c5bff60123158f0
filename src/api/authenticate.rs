//! The gateway token of a request, and whose it is.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::{ApiError, App};
use crate::accounts::Scope;
use crate::relay::Caller;

/// The caller, if its token may do this.
///
/// # Errors
/// No, unknown, ended or revoked token; a token without the scope.
pub(super) async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    scope: Scope,
) -> Result<Arc<Caller>, ApiError> {
    let token = token(headers).ok_or(ApiError::NoToken)?;
    let caller = app.gateway.parts.callers.find(token).await.map_err(ApiError::store)?;
    let caller = caller.ok_or(ApiError::UnknownToken)?;
    if caller.may(scope) { Ok(caller) } else { Err(ApiError::OutOfScope(scope)) }
}

fn token(headers: &HeaderMap) -> Option<&str> {
    if let Some(text) = headers.get(AUTHORIZATION) {
        let (scheme, token) = text.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim());
    }
    headers.get("x-api-key")?.to_str().ok()
}
