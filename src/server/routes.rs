//! The one route table: method, path, role, handler.

use http::Method;
use http::header::HeaderValue;
use percent_encoding::percent_decode_str;

use crate::api::{self, ApiError, App, Request, Response};
use crate::relay::request_id;
use crate::telemetry::events::Answered;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A gateway token with the scope `chat`.
    Chat,
    /// Whoever reaches the operator's listener.
    Operator,
}

/// What answers a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its route, in the table below")]
pub enum Handler {
    ChatCompletions,
    OauthChatCompletions,
    ListModels,
    ShowModel,
    Healthz,
    Readyz,
    Metrics,
    RunErrand,
}

/// One row of the table.
#[derive(Clone, Debug)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path; `{*id}` at its end takes the rest, slashes included.
    pub path: &'static str,
    /// Who may call it.
    pub role: Role,
    /// What answers it.
    pub handler: Handler,
}

const fn route(method: Method, path: &'static str, role: Role, handler: Handler) -> Route {
    Route { method, path, role, handler }
}

/// Every route.
pub static ROUTES: [Route; 8] = [
    route(Method::POST, "/v1/chat/completions", Role::Chat, Handler::ChatCompletions),
    route(Method::GET, "/v1/models", Role::Chat, Handler::ListModels),
    route(Method::GET, "/v1/models/{*id}", Role::Chat, Handler::ShowModel),
    route(
        Method::POST,
        "/api/v1/oauth/chat/completions",
        Role::Chat,
        Handler::OauthChatCompletions,
    ),
    route(Method::GET, "/healthz", Role::Operator, Handler::Healthz),
    route(Method::GET, "/readyz", Role::Operator, Handler::Readyz),
    route(Method::GET, "/metrics", Role::Operator, Handler::Metrics),
    route(Method::POST, "/operator/directory", Role::Operator, Handler::RunErrand),
];

/// Which routes a listener has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listener {
    Public,
    Operator,
}

impl Listener {
    fn has(self, route: &Route) -> bool {
        (route.role == Role::Operator) == (self == Self::Operator)
    }
}

/// Answers a request, whatever it asks.
pub(super) async fn answer(app: &App, listener: Listener, mut request: Request) -> Response {
    let id = request_id();
    let answered = match find(listener, request.method(), request.uri().path()) {
        Ok((handler, rest)) => {
            let rest = percent_decode_str(rest).decode_utf8_lossy().into_owned();
            dispatch(app, handler, &mut request, &rest, &id).await
        }
        Err(error) => Err(error),
    };
    let mut response = match answered {
        Ok(response) => response,
        Err(error) => {
            if error.leaves_a_body() {
                api::discard(app, &mut request).await;
            }
            error.into_response()
        }
    };
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert("x-request-id", id);
    }
    Answered { metrics: &app.gateway.parts.metrics, status: response.status().as_u16() }.emit();
    response
}

async fn dispatch(
    app: &App,
    handler: Handler,
    request: &mut Request,
    rest: &str,
    id: &str,
) -> Result<Response, ApiError> {
    match handler {
        Handler::ChatCompletions => api::chat_completions(app, request, id).await,
        Handler::OauthChatCompletions => api::oauth_chat_completions(app, request, id).await,
        Handler::ListModels => api::list_models(app, request).await,
        Handler::ShowModel => api::show_model(app, request, rest).await,
        Handler::Healthz => Ok(api::healthz()),
        Handler::Readyz => Ok(api::readyz(app).await),
        Handler::Metrics => Ok(api::metrics(app)),
        Handler::RunErrand => api::run_errand(app, request).await,
    }
}

/// The handler of a path, and what its `{*id}` takes.
fn find<'a>(
    listener: Listener,
    method: &Method,
    path: &'a str,
) -> Result<(Handler, &'a str), ApiError> {
    let mut allowed = None;
    for route in ROUTES.iter().filter(|route| listener.has(route)) {
        let Some(rest) = matches(route.path, path) else { continue };
        if route.method == *method || (route.method == Method::GET && *method == Method::HEAD) {
            return Ok((route.handler, rest));
        }
        allowed = Some(if route.method == Method::POST { "POST" } else { "GET, HEAD" });
    }
    Err(allowed.map_or(ApiError::NoRoute, |allowed| ApiError::WrongMethod { allowed }))
}

fn matches<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    match pattern.strip_suffix("{*id}") {
        None => (pattern == path).then_some(""),
        Some(prefix) => path.strip_prefix(prefix).filter(|rest| !rest.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_name_may_hold_slashes() {
        let found = find(Listener::Public, &Method::GET, "/v1/models/account:3/qwen/plus");
        assert!(matches!(found, Ok((Handler::ShowModel, "account:3/qwen/plus"))));
    }

    #[test]
    fn the_operators_routes_are_not_on_the_callers_listener() {
        for route in &ROUTES {
            let path = route.path.replace("{*id}", "x");
            let public = find(Listener::Public, &route.method, &path).is_ok();
            let operator = find(Listener::Operator, &route.method, &path).is_ok();
            assert_eq!(
                (public, operator),
                (route.role == Role::Chat, route.role == Role::Operator)
            );
        }
    }

    #[test]
    fn a_wrong_method_is_told_the_right_one() {
        let found = find(Listener::Public, &Method::GET, "/v1/chat/completions");
        assert!(matches!(found, Err(ApiError::WrongMethod { allowed: "POST" })));
    }
}
