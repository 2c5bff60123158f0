//! `/api/v1/oidc/…`: signing in at the operator's OpenID provider, and connecting it to a user.
//!
//! The provider sends a browser back from another site, and so without the session's cookie:
//! what the browser brings is the journey's own, which the provider's page can't read.

use std::net::IpAddr;

use http::StatusCode;
use http::header::{HeaderValue, LOCATION, SET_COOKIE};
use schemars::JsonSchema;
use serde::Serialize;
use url::form_urlencoded;

use super::answer::{no_content, typed};
use super::ask::Query;
use super::console_sessions::{agent, end_former};
use super::oidc_error::OidcError;
use super::{ApiError, App, Request, Response, cookie};
use crate::accounts::Deed;
use crate::identity::{NoEntry, SignedIn, Started, is_user_name};
use crate::oidc::{Journey, Person, Provider, Purpose, Returned};

/// Where a person finds itself once it is back.
const LANDING: HeaderValue = HeaderValue::from_static("/docs");
/// The longest part of what a browser brings back, in bytes.
const LONGEST: usize = 2 << 10;

/// Where to lead the browser.
#[derive(Serialize, JsonSchema)]
pub struct OidcView {
    /// The provider's page, for the browser that asked.
    url: String,
}

/// Leads a browser to the provider, to sign in.
pub async fn begin_oidc(app: &App, request: &Request, from: IpAddr) -> Result<Response, ApiError> {
    Query::read(request, &[])?;
    let provider = provider(app)?;
    app.gateway.parts.people.leave(from)?;
    let (url, cookie) = begin(app, provider, Purpose::SignIn).await?;
    let url = HeaderValue::try_from(url).map_err(|_| OidcError::Unavailable)?;
    Ok(led(url, [cookie]))
}

/// Takes back whom the provider sends.
pub async fn finish_oidc(app: &App, request: &Request, from: IpAddr) -> Result<Response, ApiError> {
    let provider = provider(app)?;
    let people = &app.gateway.parts.people;
    let returning = people.come_back(from).await?;
    let cookie = cookie::journey(app, request.headers()).ok_or(OidcError::NotBegun)?;
    let journey =
        Journey::of_cookie(&app.gateway.parts.vault, cookie).ok_or(OidcError::NotBegun)?;
    let query = brought(request)?;
    let text = |at: usize| query[at].as_deref();
    let returned = Returned { state: text(0), issuer: text(1), code: text(2), error: text(3) };
    let person = provider.finish(&journey, returned).await.map_err(OidcError::from)?;
    let done = cookie::journey_cleared(app);
    if let Purpose::Connect { user, session } = &journey.purpose {
        let connected = people.connect((*user, session), &person.subject).await;
        connected.map_err(refused)?;
        people.returned(returning).await.map_err(ApiError::store)?;
        return Ok(led(LANDING, [done]));
    }
    let agent = agent(request);
    let started = match people.sign_in_as(&person.subject, agent).await {
        Err(NoEntry::Unknown) if provider.registration.new_users => {
            let name = name_of(&person).ok_or(OidcError::NoName)?;
            people.sign_up_as(&person.subject, name, agent).await
        }
        started => started,
    };
    let Started { secret, .. } = started.map_err(refused)?;
    people.returned(returning).await.map_err(ApiError::store)?;
    end_former(app, request).await?;
    Ok(led(LANDING, [cookie::set(app, &secret), done]))
}

/// Begins to connect the provider to whoever is signed in.
pub async fn connect_oidc(
    app: &App,
    signed_in: &SignedIn,
    from: IpAddr,
) -> Result<Response, ApiError> {
    let provider = provider(app)?;
    app.gateway.parts.people.leave(from)?;
    let session = signed_in.session.grant.id.clone();
    let purpose = Purpose::Connect { user: signed_in.user.id, session };
    let (url, cookie) = begin(app, provider, purpose).await?;
    let mut response = typed(StatusCode::OK, &OidcView { url });
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// Lets the provider sign the user in no more.
pub async fn disconnect_oidc(app: &App, signed_in: &SignedIn) -> Result<Response, ApiError> {
    let user = signed_in.user.id;
    app.gateway.parts.people.disconnect(user).await?;
    let deed = Deed::new(signed_in.doer(), "user.disconnect", "user", user);
    app.write_down(deed.of(user)).await?;
    Ok(no_content())
}

fn provider(app: &App) -> Result<&Provider, ApiError> {
    Ok(app.oidc.as_ref().ok_or(OidcError::NotOffered)?)
}

async fn begin(
    app: &App,
    provider: &Provider,
    purpose: Purpose,
) -> Result<(String, HeaderValue), ApiError> {
    let journey = Journey::begin(purpose).map_err(NoEntry::from)?;
    let url = provider.begin(&journey).await.map_err(OidcError::from)?;
    Ok((url.into(), cookie::set_journey(app, &journey)))
}

/// `state`, `iss`, `code` and `error`, each once at most; what else a provider adds is not ours.
fn brought(request: &Request) -> Result<[Option<String>; 4], ApiError> {
    const NAMES: [&str; 4] = ["state", "iss", "code", "error"];
    let mut found: [Option<String>; 4] = Default::default();
    for (name, value) in form_urlencoded::parse(request.uri().query().unwrap_or("").as_bytes()) {
        let Some(at) = NAMES.iter().position(|known| *known == name) else { continue };
        if found[at].is_some() || value.len() > LONGEST {
            return Err(OidcError::NotBegun.into());
        }
        found[at] = Some(value.into_owned());
    }
    Ok(found)
}

fn name_of(person: &Person) -> Option<&str> {
    person.names.iter().map(|name| name.trim()).find(|name| is_user_name(name))
}

fn refused(error: NoEntry) -> ApiError {
    match error {
        NoEntry::Wrong => OidcError::UserRefused.into(),
        NoEntry::Taken => OidcError::NameTaken.into(),
        error => error.into(),
    }
}

/// Leads a browser on, with these cookies. A 303 leaves no code in its history.
fn led(to: HeaderValue, cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    let mut response = no_content();
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(LOCATION, to);
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
