//! The gateway token of a request, and whose it is.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::{ApiError, App};
use crate::accounts::Scope;
use crate::relay::Caller;

/// The caller, if its token has the scope, where one is needed.
///
/// # Errors
/// No, unknown, ended or revoked token; a token without the scope.
pub async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    scope: Option<Scope>,
) -> Result<Arc<Caller>, ApiError> {
    let token = token(headers).ok_or(ApiError::NoToken)?;
    let caller = app.gateway.parts.callers.find(token).await.map_err(ApiError::store)?;
    let caller = caller.ok_or(ApiError::UnknownToken)?;
    match scope {
        Some(scope) if !caller.may(scope) => Err(ApiError::OutOfScope(scope)),
        _ => Ok(caller),
    }
}

fn token(headers: &HeaderMap) -> Option<&str> {
    if let Some(text) = headers.get(AUTHORIZATION) {
        let (scheme, token) = text.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim());
    }
    headers.get("x-api-key")?.to_str().ok()
}
