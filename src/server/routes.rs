//! The one route table: method, path, who may call it, what answers it.

use http::Method;

use crate::accounts::Scope;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Whoever reaches the callers' listener.
    Anyone,
    /// A gateway token.
    Token,
    /// A gateway token with this scope.
    Scoped(Scope),
    /// Somebody who is signed in to the console.
    Session,
    /// An operator who is signed in to the console.
    Admin,
    /// Whoever reaches the operator's listener.
    Operator,
}

/// What answers a route. One that answers callers is given the caller: there is no way to it
/// past the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// On the callers' listener, for a token with the scope, where one is needed.
    Caller(Option<Scope>, CallerHandler),
    /// On the callers' listener, for anyone.
    Open(OpenHandler),
    /// On the callers' listener, for whoever is signed in to the console.
    Session(SessionHandler),
    /// On the callers' listener, for an operator who is signed in to the console.
    Admin(AdminHandler),
    /// On the operator's listener.
    Operator(OperatorHandler),
}

/// What answers anyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its route, in the table below")]
pub enum OpenHandler {
    OpenApi,
    Docs,
    DocsStyle,
    SignIn,
    SetUp,
    ResetPassword,
    BeginOidc,
    FinishOidc,
}

/// What answers whoever is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its route, in the table below")]
pub enum SessionHandler {
    WhoAmI,
    SignOut,
    ListSignIns,
    EndSignIn,
    ChangePassword,
    ConnectOidc,
    DisconnectOidc,
}

/// What answers operators who are signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its route, in the table below")]
pub enum AdminHandler {
    ListUsers,
    AddUser,
    ChangeUser,
    GrantPoints,
    ShowHealth,
    ShowWholeAudit,
}

/// What answers callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its route, in the table below")]
pub enum CallerHandler {
    ChatCompletions,
    OauthChatCompletions,
    ListModels,
    ShowModel,
    ShowMe,
    ListPlatforms,
    ListAccounts,
    BindAccount,
    ShowAccount,
    ChangeAccount,
    DeleteAccount,
    CheckAccount,
    AccountUsage,
    AuthorizeAccount,
    ReauthorizeAccount,
    ShowSession,
    EndSession,
    ShowUsage,
    ShowPoints,
    ListPools,
    AddPool,
    ShowPool,
    ChangePool,
    DeletePool,
    ListMembers,
    PutMember,
    RemoveMember,
    ListTokens,
    CreateToken,
    ShowToken,
    ChangeToken,
    RevokeToken,
    ShowAudit,
    ShowNotices,
    ReadNotice,
}

/// What answers the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its route, in the table below")]
pub enum OperatorHandler {
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
    /// The path. One part of it may be a name in braces: `{id}` is one segment, `{*id}` at
    /// the end takes the rest, slashes included. There may be a second one at the end.
    pub path: &'static str,
    /// What answers it.
    pub handler: Handler,
}

impl Route {
    /// Who may call it.
    pub fn role(&self) -> Role {
        match self.handler {
            Handler::Caller(None, _) => Role::Token,
            Handler::Caller(Some(scope), _) => Role::Scoped(scope),
            Handler::Open(_) => Role::Anyone,
            Handler::Session(_) => Role::Session,
            Handler::Admin(_) => Role::Admin,
            Handler::Operator(_) => Role::Operator,
        }
    }

    /// Whether a console session may call it as a token may: what lies beside the console, never
    /// the calls that clients of other APIs make.
    pub fn takes_sessions(&self) -> bool {
        self.path.starts_with("/api/v1/")
    }

    /// What its braces take of a path, and what stands between them where there are two;
    /// empty where it has none.
    pub(super) fn take<'p>(&self, path: &'p str) -> Option<&'p str> {
        let Some((prefix, rest)) = self.path.split_once('{') else {
            return (self.path == path).then_some("");
        };
        let (name, suffix) = rest.split_once('}')?;
        if let Some((between, _)) = suffix.split_once('{') {
            let taken = path.strip_prefix(prefix)?;
            let (first, second) = taken.split_once(between)?;
            let is_one = |part: &str| !part.is_empty() && !part.contains('/');
            return (is_one(first) && is_one(second)).then_some(taken);
        }
        let taken = path.strip_prefix(prefix)?.strip_suffix(suffix)?;
        let may_be = !taken.is_empty() && (name.starts_with('*') || !taken.contains('/'));
        may_be.then_some(taken)
    }
}

const CHAT: Option<Scope> = Some(Scope::Chat);
const READ: Option<Scope> = Some(Scope::AccountsRead);
const WRITE: Option<Scope> = Some(Scope::AccountsWrite);

const fn to(
    method: Method,
    path: &'static str,
    scope: Option<Scope>,
    handler: CallerHandler,
) -> Route {
    Route { method, path, handler: Handler::Caller(scope, handler) }
}

const fn open(method: Method, path: &'static str, handler: OpenHandler) -> Route {
    Route { method, path, handler: Handler::Open(handler) }
}

const fn session(method: Method, path: &'static str, handler: SessionHandler) -> Route {
    Route { method, path, handler: Handler::Session(handler) }
}

const fn admin(method: Method, path: &'static str, handler: AdminHandler) -> Route {
    Route { method, path, handler: Handler::Admin(handler) }
}

const fn operator(method: Method, path: &'static str, handler: OperatorHandler) -> Route {
    Route { method, path, handler: Handler::Operator(handler) }
}

/// Every route. Of several paths that fit a request the first is its.
#[rustfmt::skip]
pub static ROUTES: &[Route] = &[
    to(Method::POST, "/v1/chat/completions", CHAT, CallerHandler::ChatCompletions),
    to(Method::GET, "/v1/models", CHAT, CallerHandler::ListModels),
    to(Method::GET, "/v1/models/{*id}", CHAT, CallerHandler::ShowModel),
    to(Method::GET, "/api/v1/me", None, CallerHandler::ShowMe),
    to(Method::GET, "/api/v1/usage", READ, CallerHandler::ShowUsage),
    to(Method::GET, "/api/v1/points", READ, CallerHandler::ShowPoints),
    to(Method::GET, "/api/v1/tokens", READ, CallerHandler::ListTokens),
    to(Method::POST, "/api/v1/tokens", WRITE, CallerHandler::CreateToken),
    to(Method::GET, "/api/v1/tokens/{id}", READ, CallerHandler::ShowToken),
    to(Method::PATCH, "/api/v1/tokens/{id}", WRITE, CallerHandler::ChangeToken),
    to(Method::DELETE, "/api/v1/tokens/{id}", WRITE, CallerHandler::RevokeToken),
    to(Method::GET, "/api/v1/audit", READ, CallerHandler::ShowAudit),
    to(Method::GET, "/api/v1/notices", READ, CallerHandler::ShowNotices),
    to(Method::POST, "/api/v1/notices/{notice}/read", READ, CallerHandler::ReadNotice),
    to(Method::GET, "/api/v1/oauth/platforms", None, CallerHandler::ListPlatforms),
    to(Method::POST, "/api/v1/oauth/chat/completions", CHAT, CallerHandler::OauthChatCompletions),
    to(Method::GET, "/api/v1/oauth/accounts", READ, CallerHandler::ListAccounts),
    to(Method::POST, "/api/v1/oauth/accounts", WRITE, CallerHandler::BindAccount),
    to(Method::POST, "/api/v1/oauth/accounts/authorize", WRITE, CallerHandler::AuthorizeAccount),
    to(Method::GET, "/api/v1/oauth/accounts/{id}", READ, CallerHandler::ShowAccount),
    to(Method::PATCH, "/api/v1/oauth/accounts/{id}", WRITE, CallerHandler::ChangeAccount),
    to(Method::DELETE, "/api/v1/oauth/accounts/{id}", WRITE, CallerHandler::DeleteAccount),
    to(Method::POST, "/api/v1/oauth/accounts/{id}/check", WRITE, CallerHandler::CheckAccount),
    to(Method::GET, "/api/v1/oauth/accounts/{id}/usage", READ, CallerHandler::AccountUsage),
    to(Method::POST, "/api/v1/oauth/accounts/{id}/reauthorize", WRITE, CallerHandler::ReauthorizeAccount),
    to(Method::GET, "/api/v1/oauth/sessions/{sid}", READ, CallerHandler::ShowSession),
    to(Method::DELETE, "/api/v1/oauth/sessions/{sid}", WRITE, CallerHandler::EndSession),
    to(Method::GET, "/api/v1/pools", READ, CallerHandler::ListPools),
    to(Method::POST, "/api/v1/pools", WRITE, CallerHandler::AddPool),
    to(Method::GET, "/api/v1/pools/{id}", READ, CallerHandler::ShowPool),
    to(Method::PATCH, "/api/v1/pools/{id}", WRITE, CallerHandler::ChangePool),
    to(Method::DELETE, "/api/v1/pools/{id}", WRITE, CallerHandler::DeletePool),
    to(Method::GET, "/api/v1/pools/{id}/members", READ, CallerHandler::ListMembers),
    to(Method::PUT, "/api/v1/pools/{id}/members/{user}", WRITE, CallerHandler::PutMember),
    to(Method::DELETE, "/api/v1/pools/{id}/members/{user}", WRITE, CallerHandler::RemoveMember),
    open(Method::GET, "/openapi.json", OpenHandler::OpenApi),
    open(Method::POST, "/api/v1/setup", OpenHandler::SetUp),
    open(Method::POST, "/api/v1/session", OpenHandler::SignIn),
    session(Method::GET, "/api/v1/session", SessionHandler::WhoAmI),
    session(Method::DELETE, "/api/v1/session", SessionHandler::SignOut),
    session(Method::GET, "/api/v1/sessions", SessionHandler::ListSignIns),
    session(Method::DELETE, "/api/v1/sessions/{session}", SessionHandler::EndSignIn),
    session(Method::POST, "/api/v1/password", SessionHandler::ChangePassword),
    open(Method::POST, "/api/v1/password/reset", OpenHandler::ResetPassword),
    open(Method::GET, "/api/v1/oidc/start", OpenHandler::BeginOidc),
    open(Method::GET, "/api/v1/oidc/callback", OpenHandler::FinishOidc),
    session(Method::POST, "/api/v1/oidc/connection", SessionHandler::ConnectOidc),
    session(Method::DELETE, "/api/v1/oidc/connection", SessionHandler::DisconnectOidc),
    admin(Method::GET, "/api/v1/admin/users", AdminHandler::ListUsers),
    admin(Method::POST, "/api/v1/admin/users", AdminHandler::AddUser),
    admin(Method::PATCH, "/api/v1/admin/users/{user_id}", AdminHandler::ChangeUser),
    admin(Method::POST, "/api/v1/admin/users/{user_id}/points", AdminHandler::GrantPoints),
    admin(Method::GET, "/api/v1/admin/platforms", AdminHandler::ShowHealth),
    admin(Method::GET, "/api/v1/admin/audit", AdminHandler::ShowWholeAudit),
    open(Method::GET, "/docs", OpenHandler::Docs),
    open(Method::GET, "/docs/style.css", OpenHandler::DocsStyle),
    operator(Method::GET, "/healthz", OperatorHandler::Healthz),
    operator(Method::GET, "/readyz", OperatorHandler::Readyz),
    operator(Method::GET, "/metrics", OperatorHandler::Metrics),
    operator(Method::POST, "/operator/directory", OperatorHandler::RunErrand),
];
