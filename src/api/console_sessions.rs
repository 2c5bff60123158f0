//! `/api/v1/session`, `/sessions`, `/password`, `/setup`: signing in, and what of one's own
//! sign-ins a person sees and ends.

use std::net::IpAddr;

use http::StatusCode;
use http::header::{SET_COOKIE, USER_AGENT};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use super::answer::{no_content, typed};
use super::ask::{self, refused};
use super::cookie;
use super::page::Page;
use super::sign_in_error::SignInError;
use super::{ApiError, App, Request, Response};
use crate::accounts::{SessionRow, Subject, UserId, UserRole};
use crate::identity::{
    LONGEST_USER_NAME, NoEntry, SHORTEST_PASSWORD, SignIn, SignedIn, Started, is_password,
    is_user_name,
};

/// A name and its password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInAsk {
    name: String,
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "String")]
    password: Zeroizing<String>,
}

/// The first operator, with the secret of the link that `serve` printed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetUpAsk {
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "String")]
    token: Zeroizing<String>,
    name: String,
    /// Twelve characters or more.
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "String")]
    password: Zeroizing<String>,
}

/// A password, with the secret of the link that an operator made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetAsk {
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "String")]
    token: Zeroizing<String>,
    /// Twelve characters or more.
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "String")]
    password: Zeroizing<String>,
}

/// Another password.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordAsk {
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "String")]
    old_password: Zeroizing<String>,
    /// Twelve characters or more.
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "String")]
    new_password: Zeroizing<String>,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(from).map(Zeroizing::new)
}

/// Who is signed in.
#[derive(Serialize, JsonSchema)]
pub struct SessionView {
    #[schemars(with = "i64")]
    user: UserId,
    name: String,
    /// `member` or `operator`.
    #[schemars(with = "String")]
    role: UserRole,
    /// The session's id, as the list of sessions has it.
    session: String,
    /// Whom the user is connected to at an OpenID provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    oidc: Option<SubjectView>,
    /// To be sent as `X-CSRF-Token` with every call that is no GET.
    csrf_token: String,
    #[schemars(with = "String", extend("format" = "date-time"))]
    ends_at: Timestamp,
}

/// A person, as an OpenID provider knows it.
#[derive(Serialize, JsonSchema)]
pub struct SubjectView {
    issuer: String,
    subject: String,
}

/// One of a user's sessions.
#[derive(Serialize, JsonSchema)]
pub struct SignInView {
    id: String,
    /// Whether it is the one that asks.
    current: bool,
    /// What the browser said of itself.
    agent: String,
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    #[schemars(with = "String", extend("format" = "date-time"))]
    used_at: Timestamp,
    #[schemars(with = "String", extend("format" = "date-time"))]
    ends_at: Timestamp,
}

/// Signs somebody in. A session that the browser had ends.
pub async fn sign_in(app: &App, request: &mut Request, from: IpAddr) -> Result<Response, ApiError> {
    cookie::check_site(app, request)?;
    let bytes = Zeroizing::new(ask::read(app, request).await?.to_vec());
    let SignInAsk { name, password } = ask::parse(&bytes)?;
    let people = &app.gateway.parts.people;
    let sign_in = SignIn { name: &name, password, from, agent: agent(request) };
    let started = people.sign_in(sign_in).await?;
    end_former(app, request).await?;
    Ok(began(app, StatusCode::OK, &started))
}

/// Makes the first operator.
pub async fn set_up(app: &App, request: &mut Request) -> Result<Response, ApiError> {
    cookie::check_site(app, request)?;
    let bytes = Zeroizing::new(ask::read(app, request).await?.to_vec());
    let SetUpAsk { token, name, password } = ask::parse(&bytes)?;
    check_name(&name)?;
    check_password("password", &password)?;
    let people = &app.gateway.parts.people;
    let started = people.set_up(&token, &name, password, agent(request)).await?;
    Ok(began(app, StatusCode::CREATED, &started))
}

/// Gives the user of a link a password.
pub async fn reset_password(app: &App, request: &mut Request) -> Result<Response, ApiError> {
    cookie::check_site(app, request)?;
    let bytes = Zeroizing::new(ask::read(app, request).await?.to_vec());
    let ResetAsk { token, password } = ask::parse(&bytes)?;
    check_password("password", &password)?;
    let people = &app.gateway.parts.people;
    let started = people.set_password_by_link(&token, password, agent(request)).await?;
    Ok(began(app, StatusCode::OK, &started))
}

/// Who is signed in.
pub fn who_am_i(app: &App, signed_in: &SignedIn) -> Response {
    typed(StatusCode::OK, &view(app, signed_in))
}

/// Ends the session.
pub async fn sign_out(app: &App, signed_in: &SignedIn) -> Result<Response, ApiError> {
    app.gateway.parts.people.sign_out(signed_in).await.map_err(ApiError::store)?;
    let mut response = no_content();
    response.headers_mut().append(SET_COOKIE, cookie::cleared(app));
    Ok(response)
}

/// The user's sessions, newest first.
pub async fn list_sign_ins(app: &App, signed_in: &SignedIn) -> Result<Response, ApiError> {
    let rows = app.gateway.parts.people.sessions_of(&signed_in.user).await;
    let own = signed_in.session.grant.id.as_str();
    let views = rows.map_err(ApiError::store)?.into_iter().map(|row| SignInView::of(row, own));
    Ok(typed(StatusCode::OK, &Page::whole(views.collect())))
}

/// Ends one of the user's sessions.
pub async fn end_sign_in(app: &App, signed_in: &SignedIn, id: &str) -> Result<Response, ApiError> {
    let ended = app.gateway.parts.store.end_session(signed_in.user.id, id).await;
    match ended.map_err(ApiError::store)? {
        true => Ok(no_content()),
        false => Err(SignInError::NoSession.into()),
    }
}

/// Gives the user another password; its other sessions end.
pub async fn change_password(
    app: &App,
    signed_in: &SignedIn,
    request: &mut Request,
    from: IpAddr,
) -> Result<Response, ApiError> {
    let bytes = Zeroizing::new(ask::read(app, request).await?.to_vec());
    let PasswordAsk { old_password, new_password } = ask::parse(&bytes)?;
    check_password("new_password", &new_password)?;
    let people = &app.gateway.parts.people;
    let changed = people.change_password(signed_in, from, old_password, new_password).await;
    let started = changed.map_err(|error| match error {
        NoEntry::Wrong => SignInError::WrongPassword.into(),
        error => ApiError::from(error),
    })?;
    Ok(began(app, StatusCode::OK, &started))
}

/// Refuses what can't be a user's name.
pub(super) fn check_name(name: &str) -> Result<(), ApiError> {
    if is_user_name(name) {
        return Ok(());
    }
    let said = format!("A name is one line of text, {LONGEST_USER_NAME} characters at most.");
    Err(refused("invalid_name", "name", said))
}

fn check_password(field: &str, password: &str) -> Result<(), ApiError> {
    if is_password(password) {
        return Ok(());
    }
    let said = format!("A password is one line of {SHORTEST_PASSWORD} characters or more.");
    Err(refused("invalid_password", field, said))
}

/// Ends the session that the browser had.
pub(super) async fn end_former(app: &App, request: &Request) -> Result<(), ApiError> {
    let people = &app.gateway.parts.people;
    if let Some(cookie) = cookie::session(app, request.headers())
        && let Some(before) = people.session(cookie).await.map_err(ApiError::store)?
    {
        people.sign_out(&before).await.map_err(ApiError::store)?;
    }
    Ok(())
}

pub(super) fn agent(request: &Request) -> &str {
    let agent = request.headers().get(USER_AGENT);
    agent.and_then(|agent| agent.to_str().ok()).unwrap_or_default()
}

fn began(app: &App, status: StatusCode, started: &Started) -> Response {
    let mut response = typed(status, &view(app, &started.signed_in));
    response.headers_mut().append(SET_COOKIE, cookie::set(app, &started.secret));
    response
}

fn view(app: &App, signed_in: &SignedIn) -> SessionView {
    let SignedIn { user, session } = signed_in;
    SessionView {
        user: user.id,
        name: user.name.clone(),
        role: user.identity.role,
        session: session.grant.id.clone(),
        oidc: user
            .identity
            .oidc
            .clone()
            .map(|Subject { issuer, subject }| SubjectView { issuer, subject }),
        csrf_token: app.gateway.parts.people.csrf_token(signed_in),
        ends_at: session.grant.ends_at,
    }
}

impl SignInView {
    fn of(row: SessionRow, own: &str) -> Self {
        let SessionRow { grant, used_at, agent, .. } = row;
        Self {
            current: grant.id == own,
            id: grant.id,
            agent,
            created_at: grant.created_at,
            used_at,
            ends_at: grant.ends_at,
        }
    }
}
