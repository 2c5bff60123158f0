//! The cookie that holds a console session, and the proof that a request with it comes from
//! our own pages.

use cookie::{Cookie, SameSite};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, COOKIE, HeaderValue, ORIGIN};
use url::Url;

use super::host::host;
use super::sign_in_error::SignInError;
use super::{ApiError, App, Request};
use crate::identity::{CookieStyle, LIFE, SignedIn};
use crate::oidc::{JOURNEY_LIFE, Journey};
use crate::vault::Secret;

const CSRF_TOKEN: &str = "x-csrf-token";
const FETCH_SITE: &str = "sec-fetch-site";

fn name(style: CookieStyle) -> &'static str {
    match style {
        // A browser takes a cookie of this name from an encrypted answer of this very host
        // alone: none of its neighbours can set one.
        CookieStyle::Secure => "__Host-tb_sid",
        CookieStyle::Plain => "tb_sid",
    }
}

fn journey_name(style: CookieStyle) -> &'static str {
    match style {
        CookieStyle::Secure => "__Host-tb_oidc",
        CookieStyle::Plain => "tb_oidc",
    }
}

/// What the session's cookie of a request holds.
pub(super) fn session<'r>(app: &App, headers: &'r HeaderMap) -> Option<&'r str> {
    held(headers, name(app.gateway.parts.people.cookies))
}

/// What the cookie of a journey to the OpenID provider holds.
pub(super) fn journey<'r>(app: &App, headers: &'r HeaderMap) -> Option<&'r str> {
    held(headers, journey_name(app.gateway.parts.people.cookies))
}

fn held<'r>(headers: &'r HeaderMap, name: &str) -> Option<&'r str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    pairs.flat_map(|value| value.split(';')).find_map(|pair| {
        let (known, value) = pair.split_once('=')?;
        (known.trim() == name).then(|| value.trim())
    })
}

/// Sets the cookie.
pub(super) fn set(app: &App, secret: &Secret) -> HeaderValue {
    let name = name(app.gateway.parts.people.cookies);
    written(app, name, secret.expose_secret(), LIFE.as_secs(), SameSite::Strict)
}

/// Takes the cookie away.
pub(super) fn cleared(app: &App) -> HeaderValue {
    written(app, name(app.gateway.parts.people.cookies), "", 0, SameSite::Strict)
}

/// Sets the cookie of a journey. The provider leads the browser back from another site: a
/// cookie that is `Strict` would not come along.
pub(super) fn set_journey(app: &App, journey: &Journey) -> HeaderValue {
    let parts = &app.gateway.parts;
    let (name, value) = (journey_name(parts.people.cookies), journey.cookie(&parts.vault));
    written(app, name, &value, JOURNEY_LIFE.as_secs(), SameSite::Lax)
}

/// Takes the cookie of a journey away.
pub(super) fn journey_cleared(app: &App) -> HeaderValue {
    written(app, journey_name(app.gateway.parts.people.cookies), "", 0, SameSite::Lax)
}

fn written(app: &App, name: &str, value: &str, seconds: i64, site: SameSite) -> HeaderValue {
    let style = app.gateway.parts.people.cookies;
    let cookie = Cookie::build((name, value))
        .path("/")
        .http_only(true)
        .same_site(site)
        .secure(style == CookieStyle::Secure)
        .max_age(cookie::time::Duration::seconds(seconds));
    let mut value = HeaderValue::try_from(cookie.to_string())
        .expect("what we set is letters, digits, dots and dashes");
    value.set_sensitive(true);
    value
}

/// Refuses what another site's page may have sent with a session's cookie: a call that may
/// change something needs our own origin, JSON, and the token that the session was given.
pub(super) fn check_page(
    app: &App,
    request: &Request,
    signed_in: &SignedIn,
) -> Result<(), ApiError> {
    if request.method().is_safe() {
        return Ok(());
    }
    if site(app, request) != Site::Same {
        return Err(SignInError::CrossSite.into());
    }
    check_json(request)?;
    let token = request.headers().get(CSRF_TOKEN).and_then(|token| token.to_str().ok());
    let people = &app.gateway.parts.people;
    match token.is_some_and(|token| people.is_csrf_token(signed_in, token)) {
        true => Ok(()),
        false => Err(SignInError::NoCsrfToken.into()),
    }
}

/// Refuses a call without a session that another site's page sent: it would sign somebody in
/// as somebody else. What is no browser tells no site.
pub(super) fn check_site(app: &App, request: &Request) -> Result<(), ApiError> {
    if site(app, request) == Site::Other {
        return Err(SignInError::CrossSite.into());
    }
    check_json(request)
}

/// Forms and scripts of other sites can send every other type without asking first.
fn check_json(request: &Request) -> Result<(), ApiError> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    match kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        true => Ok(()),
        false => Err(SignInError::NotJson.into()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Site {
    Same,
    Other,
    Untold,
}

/// Which site a browser says that a request comes from. `Sec-Fetch-Site` is the browser's own
/// word, which no page can set; one that does not know it sends `Origin`.
fn site(app: &App, request: &Request) -> Site {
    let header = |name: &str| request.headers().get(name).map(HeaderValue::to_str);
    match (header(FETCH_SITE), header(ORIGIN.as_str())) {
        (Some(Ok("same-origin")), _) => Site::Same,
        (Some(_), _) => Site::Other,
        (None, Some(Ok(origin))) if is_own(app, request, origin) => Site::Same,
        (None, Some(_)) => Site::Other,
        (None, None) => Site::Untold,
    }
}

fn is_own(app: &App, request: &Request, origin: &str) -> bool {
    if let Some(url) = &app.public_url {
        return origin == url.origin().ascii_serialization();
    }
    // Without a public URL the host that was asked is the only one that is known.
    let host = host(request);
    let Ok(origin) = Url::parse(origin) else { return false };
    let Some(asked) =
        host.and_then(|host| Url::parse(&format!("{}://{host}", origin.scheme())).ok())
    else {
        return false;
    };
    origin.origin().is_tuple() && origin.origin() == asked.origin()
}
