//! From a request to its route's answer.

use std::net::IpAddr;

use http::Method;
use http::header::{self, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use super::routes::{
    AdminHandler, CallerHandler, Handler, OpenHandler, OperatorHandler, ROUTES, Role, Route,
    SessionHandler,
};
use super::{docs, openapi};
use crate::api::{self, ApiError, App, Request, Response, Sessions};
use crate::identity::SignedIn;
use crate::relay::{Caller, request_id};
use crate::telemetry::clock::Stopwatch;
use crate::telemetry::events::Answered;

/// Which routes a listener has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listener {
    Public,
    Operator,
}

impl Listener {
    fn has(self, route: &Route) -> bool {
        (route.role() == Role::Operator) == (self == Self::Operator)
    }
}

/// Where the surface of accounts begins: what a browser may be led to.
const SURFACE: &str = "/api/";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What its answers tell a browser: to show, run, embed and remember nothing of them.
const HARDENED: [(HeaderName, HeaderValue); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// A request that found its route.
struct Arrived<'a> {
    at: Stopwatch,
    /// Its id.
    id: &'a str,
    /// What the path's braces take, decoded.
    named: &'a str,
    /// From which address.
    from: IpAddr,
}

/// Answers a request, whatever it asks.
pub(super) async fn answer(
    app: &App,
    listener: Listener,
    request: &mut Request,
    from: IpAddr,
) -> Response {
    let at = Stopwatch::start();
    let id = request_id();
    let is_surface = request.uri().path().starts_with(SURFACE);
    let is_ours = listener == Listener::Operator || api::is_for_us(app, request);
    let found = if is_ours {
        find(listener, request.method(), request.uri().path())
    } else {
        Err(ApiError::OtherHost)
    };
    let answered = match found {
        Ok((route, named)) => {
            let named = percent_decode_str(named).decode_utf8_lossy().into_owned();
            dispatch(app, route, request, Arrived { at, id: &id, named: &named, from }).await
        }
        Err(error) => Err(error),
    };
    let mut response = match answered {
        Ok(response) => response,
        Err(error) => {
            if error.leaves_a_body() {
                api::discard(app, request).await;
            }
            error.into_response()
        }
    };
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if is_surface {
        for (name, value) in HARDENED {
            response.headers_mut().insert(name, value);
        }
    }
    Answered { metrics: &app.gateway.parts.metrics, status: response.status().as_u16() }.emit();
    response
}

async fn dispatch(
    app: &App,
    route: &Route,
    request: &mut Request,
    arrived: Arrived<'_>,
) -> Result<Response, ApiError> {
    let is_surface = route.path.starts_with(SURFACE);
    // A proxy may take `X_Name` for `X-Name`, and another not.
    if is_surface && request.headers().keys().any(|name| name.as_str().contains('_')) {
        return Err(ApiError::UnderscoredHeader);
    }
    match route.handler {
        Handler::Caller(scope, handler) => {
            let sessions = if route.takes_sessions() { Sessions::Taken } else { Sessions::Refused };
            let caller = api::authenticate(app, request, scope, sessions).await?;
            for_caller(app, handler, &caller, request, arrived).await
        }
        Handler::Open(handler) => for_anyone(app, handler, request, arrived).await,
        Handler::Session(handler) => {
            let signed_in = api::signed_in(app, request).await?;
            for_session(app, handler, &signed_in, request, arrived).await
        }
        Handler::Admin(handler) => {
            let operator = api::operator(app, request).await?;
            for_admin(app, handler, &operator, request, arrived.named).await
        }
        Handler::Operator(handler) => for_operator(app, handler, request).await,
    }
}

async fn for_caller(
    app: &App,
    handler: CallerHandler,
    caller: &Caller,
    request: &mut Request,
    Arrived { at, id, named, .. }: Arrived<'_>,
) -> Result<Response, ApiError> {
    use CallerHandler as To;
    match handler {
        To::ChatCompletions => api::chat_completions(app, caller, request, id, at).await,
        To::OauthChatCompletions => api::oauth_chat_completions(app, caller, request, id, at).await,
        To::ListModels => api::list_models(app, caller).await,
        To::ShowModel => api::show_model(app, caller, named).await,
        To::ShowMe => api::show_me(app, caller).await,
        To::ListPlatforms => Ok(api::list_platforms(app, caller)),
        To::ListAccounts => api::list_accounts(app, caller, request).await,
        To::BindAccount => api::bind_account(app, caller, request).await,
        To::ShowAccount => api::show_account(app, caller, named).await,
        To::ChangeAccount => api::change_account(app, caller, request, named).await,
        To::DeleteAccount => api::delete_account(app, caller, named).await,
        To::CheckAccount => api::check_account(app, caller, named).await,
        To::AccountUsage => api::account_usage(app, caller, request, named).await,
        To::AuthorizeAccount => api::authorize_account(app, caller, request).await,
        To::ReauthorizeAccount => api::reauthorize_account(app, caller, named).await,
        To::ShowSession => api::show_session(),
        To::EndSession => api::end_session(),
        To::ShowUsage => api::show_usage(app, caller, request).await,
        To::ShowPoints => api::show_points(app, caller, request).await,
        To::ListPools => api::list_pools(app, caller).await,
        To::AddPool => api::add_pool(app, caller, request).await,
        To::ShowPool => api::show_pool(app, caller, named).await,
        To::ChangePool => api::change_pool(app, caller, request, named).await,
        To::DeletePool => api::delete_pool(app, caller, named).await,
        To::ListMembers => api::list_members(app, caller, named).await,
        To::PutMember => api::put_member(app, caller, request, named).await,
        To::RemoveMember => api::remove_member(app, caller, named).await,
        To::ListTokens => api::list_tokens(app, caller).await,
        To::CreateToken => api::create_token(app, caller, request).await,
        To::ShowToken => api::show_token(app, caller, named).await,
        To::ChangeToken => api::change_token(app, caller, request, named).await,
        To::RevokeToken => api::revoke_token(app, caller, named).await,
        To::ShowNotices => api::show_notices(app, caller, request).await,
        To::ReadNotice => api::read_notice(app, caller, named).await,
        To::ShowAudit => api::show_audit(app, caller, request).await,
    }
}

async fn for_anyone(
    app: &App,
    handler: OpenHandler,
    request: &mut Request,
    Arrived { from, .. }: Arrived<'_>,
) -> Result<Response, ApiError> {
    match handler {
        OpenHandler::OpenApi => Ok(api::document(openapi::document())),
        OpenHandler::Docs => Ok(api::page(docs::page())),
        OpenHandler::DocsStyle => Ok(api::stylesheet(docs::STYLE)),
        OpenHandler::SignIn => api::sign_in(app, request, from).await,
        OpenHandler::SetUp => api::set_up(app, request).await,
        OpenHandler::ResetPassword => api::reset_password(app, request).await,
        OpenHandler::BeginOidc => api::begin_oidc(app, request, from).await,
        OpenHandler::FinishOidc => api::finish_oidc(app, request, from).await,
    }
}

async fn for_session(
    app: &App,
    handler: SessionHandler,
    signed_in: &SignedIn,
    request: &mut Request,
    Arrived { named, from, .. }: Arrived<'_>,
) -> Result<Response, ApiError> {
    match handler {
        SessionHandler::WhoAmI => Ok(api::who_am_i(app, signed_in)),
        SessionHandler::SignOut => api::sign_out(app, signed_in).await,
        SessionHandler::ListSignIns => api::list_sign_ins(app, signed_in).await,
        SessionHandler::EndSignIn => api::end_sign_in(app, signed_in, named).await,
        SessionHandler::ChangePassword => api::change_password(app, signed_in, request, from).await,
        SessionHandler::ConnectOidc => api::connect_oidc(app, signed_in, from).await,
        SessionHandler::DisconnectOidc => api::disconnect_oidc(app, signed_in).await,
    }
}

async fn for_admin(
    app: &App,
    handler: AdminHandler,
    operator: &SignedIn,
    request: &mut Request,
    named: &str,
) -> Result<Response, ApiError> {
    match handler {
        AdminHandler::ListUsers => api::list_users(app).await,
        AdminHandler::AddUser => api::add_user(app, operator, request).await,
        AdminHandler::ChangeUser => api::change_user(app, operator, request, named).await,
        AdminHandler::GrantPoints => api::grant_points(app, operator, request, named).await,
        AdminHandler::ShowHealth => api::show_health(app).await,
        AdminHandler::ShowWholeAudit => api::show_whole_audit(app, request).await,
    }
}

async fn for_operator(
    app: &App,
    handler: OperatorHandler,
    request: &mut Request,
) -> Result<Response, ApiError> {
    match handler {
        OperatorHandler::Healthz => Ok(api::healthz()),
        OperatorHandler::Readyz => Ok(api::readyz(app).await),
        OperatorHandler::Metrics => Ok(api::metrics(app)),
        OperatorHandler::RunErrand => api::run_errand(app, request).await,
    }
}

/// The route of a path, and what its braces take: of the first path that fits, the row
/// with the method.
fn find<'a>(
    listener: Listener,
    method: &Method,
    path: &'a str,
) -> Result<(&'static Route, &'a str), ApiError> {
    let own = || ROUTES.iter().filter(|route| listener.has(route));
    let fit = own().find_map(|route| Some((route.path, route.take(path)?)));
    let Some((pattern, named)) = fit else { return Err(ApiError::NoRoute) };
    let wanted = if *method == Method::HEAD { &Method::GET } else { method };
    let mut allowed = Vec::new();
    for route in own().filter(|route| route.path == pattern) {
        if route.method == *wanted {
            return Ok((route, named));
        }
        allowed.push(route.method.as_str());
        if route.method == Method::GET {
            allowed.push("HEAD");
        }
    }
    Err(ApiError::WrongMethod { allowed: allowed.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &Method, path: &'static str) -> Option<(CallerHandler, &'static str)> {
        match find(Listener::Public, method, path) {
            Ok((Route { handler: Handler::Caller(_, handler), .. }, named)) => {
                Some((*handler, named))
            }
            _ => None,
        }
    }

    #[test]
    fn a_models_name_may_hold_slashes() {
        let model = found(&Method::GET, "/v1/models/account:3/qwen/plus");
        assert_eq!(model, Some((CallerHandler::ShowModel, "account:3/qwen/plus")));
    }

    #[test]
    fn an_accounts_id_is_one_segment() {
        let path = "/api/v1/oauth/accounts/7/check";
        assert_eq!(found(&Method::POST, path), Some((CallerHandler::CheckAccount, "7")));
        for path in [
            "/api/v1/oauth/accounts/",
            "/api/v1/oauth/accounts/7/",
            "/api/v1/oauth/accounts/7/8/check",
            "/api/v1/oauth/accounts//check",
            "/api/v1/oauth/accounts/check",
        ] {
            assert_eq!(found(&Method::POST, path), None, "{path}");
        }
    }

    #[test]
    fn a_member_is_a_pool_and_a_user() {
        let named = found(&Method::PUT, "/api/v1/pools/7/members/ann%2Fb");
        assert_eq!(named, Some((CallerHandler::PutMember, "7/members/ann%2Fb")));
        for path in ["7/members/", "/members/ann", "7/members/a/b", "7/8/members/ann"] {
            let path = format!("/api/v1/pools/{path}");
            assert!(find(Listener::Public, &Method::PUT, &path).is_err(), "{path}");
        }
        assert_eq!(found(&Method::GET, "/api/v1/pools/7"), Some((CallerHandler::ShowPool, "7")));
    }

    #[test]
    fn a_path_without_a_name_is_found_before_one_with() {
        let path = "/api/v1/oauth/accounts/authorize";
        assert_eq!(found(&Method::POST, path), Some((CallerHandler::AuthorizeAccount, "")));
        let refused = find(Listener::Public, &Method::GET, path);
        assert!(matches!(refused, Err(ApiError::WrongMethod { allowed }) if allowed == "POST"));
    }

    #[test]
    fn the_operators_routes_are_not_on_the_callers_listener() {
        for route in ROUTES {
            let names = ["{*id}", "{id}", "{sid}", "{user}", "{user_id}", "{session}", "{notice}"];
            let path =
                names.iter().fold(route.path.to_owned(), |path, name| path.replace(name, "x"));
            let public = find(Listener::Public, &route.method, &path).is_ok();
            let operator = find(Listener::Operator, &route.method, &path).is_ok();
            let is_operators = route.role() == Role::Operator;
            assert_eq!((public, operator), (!is_operators, is_operators), "{path}");
        }
    }

    #[test]
    fn a_wrong_method_is_told_the_right_ones() {
        for (method, path, right) in [
            (Method::GET, "/v1/chat/completions", "POST"),
            (Method::PUT, "/v1/models", "GET, HEAD"),
            (Method::PUT, "/api/v1/oauth/accounts/7", "GET, HEAD, PATCH, DELETE"),
        ] {
            let found = find(Listener::Public, &method, path);
            assert!(
                matches!(&found, Err(ApiError::WrongMethod { allowed }) if allowed == right),
                "{found:?}"
            );
        }
        assert!(found(&Method::HEAD, "/v1/models").is_some());
    }
}
