//! Who calls: by a gateway token, or by a console session's cookie.
//!
//! A request that sends a token is the token's alone, good or not: its cookies are not looked
//! at. A cookie is good for the surface of `/api/v1/`, never for `/v1/`.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName};

use super::sign_in_error::SignInError;
use super::{ApiError, App, Request, cookie};
use crate::accounts::Scope;
use crate::identity::SignedIn;
use crate::relay::Caller;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a route takes beside tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// Console sessions, too.
    Taken,
    /// Nothing.
    Refused,
}

/// The caller, if its token has the scope, where one is needed. One that is signed in to the
/// console has every scope.
///
/// # Errors
/// No, unknown, ended or revoked token; a token without the scope; a session's call that
/// another site's page may have sent.
pub async fn authenticate(
    app: &App,
    request: &Request,
    scope: Option<Scope>,
    sessions: Sessions,
) -> Result<Arc<Caller>, ApiError> {
    let headers = request.headers();
    if sessions == Sessions::Taken
        && !sends_token(headers)
        && let Some(signed_in) = session_of(app, request).await?
    {
        let callers = &app.gateway.parts.callers;
        let caller = callers.signed_in(&signed_in.user, &signed_in.session).await;
        return caller.map_err(ApiError::store);
    }
    let token = token(headers).ok_or(ApiError::NoToken)?;
    let caller = app.gateway.parts.callers.find(token).await.map_err(ApiError::store)?;
    let caller = caller.ok_or(ApiError::UnknownToken)?;
    match scope {
        Some(scope) if !caller.may(scope) => Err(ApiError::OutOfScope(scope)),
        _ => Ok(caller),
    }
}

/// Who is signed in to the console.
///
/// # Errors
/// Nobody; a call that another site's page may have sent.
pub async fn signed_in(app: &App, request: &Request) -> Result<SignedIn, ApiError> {
    if sends_token(request.headers()) {
        return Err(SignInError::NotSignedIn.into());
    }
    Ok(session_of(app, request).await?.ok_or(SignInError::NotSignedIn)?)
}

/// An operator that is signed in to the console.
///
/// # Errors
/// As [`signed_in`], and for a member.
pub async fn operator(app: &App, request: &Request) -> Result<SignedIn, ApiError> {
    let signed_in = signed_in(app, request).await?;
    match signed_in.is_operator() {
        true => Ok(signed_in),
        false => Err(SignInError::NoOperator.into()),
    }
}

async fn session_of(app: &App, request: &Request) -> Result<Option<SignedIn>, ApiError> {
    let Some(cookie) = cookie::session(app, request.headers()) else { return Ok(None) };
    let found = app.gateway.parts.people.session(cookie).await.map_err(ApiError::store)?;
    if let Some(signed_in) = &found {
        cookie::check_page(app, request, signed_in)?;
    }
    Ok(found)
}

fn sends_token(headers: &HeaderMap) -> bool {
    headers.contains_key(AUTHORIZATION) || headers.contains_key(API_KEY)
}

fn token(headers: &HeaderMap) -> Option<&str> {
    if let Some(text) = headers.get(AUTHORIZATION) {
        let (scheme, token) = text.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim());
    }
    headers.get(API_KEY)?.to_str().ok()
}
