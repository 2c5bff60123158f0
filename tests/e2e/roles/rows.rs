//! The table: a row for every route, and what its callers and ids are.

use http::{Method, Request};
use serde_json::{Value, json};
use tributary::accounts::{AccountId, Closing, PoolId, Scope, TokenId, User};

use super::POOL;
use crate::rig::{Answer, Console, Grants, KEYS, Rig, ask};

/// What a route answers a caller who may call it. The path's id is an account's, or a pool's.
pub(super) struct Row {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) body: fn(i64) -> Value,
    pub(super) own: u16,
    /// To somebody who may as much, about an account or a token of somebody else's.
    pub(super) foreign: u16,
    /// To a member of the team whose pool it is, or is in, who owns neither.
    pub(super) member: u16,
}

fn row(method: Method, path: &'static str, body: fn(i64) -> Value, own: u16, foreign: u16) -> Row {
    Row { method, path, body, own, foreign, member: own }
}

fn none(_: i64) -> Value {
    Value::Null
}

fn chat(_: i64) -> Value {
    ask("qwen-plus", "hello")
}

fn pinned(id: i64) -> Value {
    json!({"account_id": id, "messages": [{"role": "user", "content": "hello"}]})
}

fn binding(id: i64) -> Value {
    json!({"platform": "qwen", "account_name": format!("beside {id}"), "key": KEYS[1].1[0]})
}

/// The same where a member who does not own it is refused.
fn owners(
    method: Method,
    path: &'static str,
    body: fn(i64) -> Value,
    own: u16,
    foreign: u16,
) -> Row {
    Row { member: 403, ..row(method, path, body, own, foreign) }
}

/// A row for every route of the table. What needs no account of the owner's answers a
/// stranger as its own.
#[rustfmt::skip]
pub(super) fn rows() -> Vec<Row> {
    vec![
        row(Method::POST, "/v1/chat/completions", chat, 200, 404),
        row(Method::GET, "/v1/models", none, 200, 200),
        row(Method::GET, "/v1/models/{*id}", none, 200, 404),
        row(Method::GET, "/api/v1/me", none, 200, 200),
        row(Method::GET, "/api/v1/usage", none, 200, 200),
        row(Method::GET, "/api/v1/points", none, 200, 200),
        row(Method::GET, "/api/v1/tokens", none, 200, 200),
        row(Method::POST, "/api/v1/tokens", |_| json!({"name": "n"}), 201, 201),
        row(Method::GET, "/api/v1/tokens/{id}", none, 200, 404),
        row(Method::PATCH, "/api/v1/tokens/{id}", |_| json!({"name": "other"}), 200, 404),
        row(Method::DELETE, "/api/v1/tokens/{id}", none, 204, 404),
        row(Method::GET, "/api/v1/audit", none, 200, 200),
        row(Method::GET, "/api/v1/notices", none, 200, 200),
        row(Method::POST, "/api/v1/notices/{notice}/read", none, 404, 404),
        row(Method::GET, "/api/v1/oauth/platforms", none, 200, 200),
        row(Method::POST, "/api/v1/oauth/chat/completions", pinned, 200, 404),
        row(Method::GET, "/api/v1/oauth/accounts", none, 200, 200),
        row(Method::POST, "/api/v1/oauth/accounts", binding, 201, 201),
        row(Method::POST, "/api/v1/oauth/accounts/authorize", |_| json!({"platform": "qwen"}), 400, 400),
        row(Method::GET, "/api/v1/oauth/accounts/{id}", none, 200, 404),
        owners(Method::PATCH, "/api/v1/oauth/accounts/{id}", |_| json!({"enabled": true}), 200, 404),
        owners(Method::DELETE, "/api/v1/oauth/accounts/{id}", none, 204, 404),
        row(Method::POST, "/api/v1/oauth/accounts/{id}/check", none, 200, 404),
        row(Method::GET, "/api/v1/oauth/accounts/{id}/usage", none, 200, 404),
        owners(Method::POST, "/api/v1/oauth/accounts/{id}/reauthorize", none, 400, 404),
        row(Method::GET, "/api/v1/oauth/sessions/{sid}", none, 404, 404),
        row(Method::DELETE, "/api/v1/oauth/sessions/{sid}", none, 404, 404),
        row(Method::GET, "/api/v1/pools", none, 200, 200),
        row(Method::POST, "/api/v1/pools", |_| json!({"name": "lab"}), 201, 201),
        row(Method::GET, "/api/v1/pools/{id}", none, 200, 404),
        owners(Method::PATCH, "/api/v1/pools/{id}", |_| json!({"name": "lab", "policy": "sticky"}), 200, 404),
        owners(Method::DELETE, "/api/v1/pools/{id}", none, 204, 404),
        row(Method::GET, "/api/v1/pools/{id}/members", none, 200, 404),
        owners(Method::PUT, "/api/v1/pools/{id}/members/{user}", |_| json!({"role": "owner"}), 200, 404),
        // The last owner, whom its account is in the way of as well.
        owners(Method::DELETE, "/api/v1/pools/{id}/members/{user}", none, 409, 404),
        row(Method::GET, "/openapi.json", none, 200, 200),
        row(Method::POST, "/api/v1/setup", |_| json!({"token": "x", "name": "x", "password": "correct horse battery"}), 404, 404),
        row(Method::POST, "/api/v1/session", |_| json!({"name": "nobody", "password": "x"}), 401, 401),
        row(Method::GET, "/api/v1/session", none, 200, 200),
        row(Method::DELETE, "/api/v1/session", none, 204, 204),
        row(Method::GET, "/api/v1/sessions", none, 200, 200),
        row(Method::DELETE, "/api/v1/sessions/{session}", none, 404, 404),
        row(Method::POST, "/api/v1/password", |_| json!({"old_password": "x", "new_password": "correct horse battery"}), 400, 400),
        row(Method::POST, "/api/v1/password/reset", |_| json!({"token": "x", "password": "correct horse battery"}), 404, 404),
        // No provider is configured.
        row(Method::GET, "/api/v1/oidc/start", none, 404, 404),
        row(Method::GET, "/api/v1/oidc/callback", none, 404, 404),
        row(Method::POST, "/api/v1/oidc/connection", none, 404, 404),
        row(Method::DELETE, "/api/v1/oidc/connection", none, 204, 204),
        row(Method::GET, "/api/v1/admin/users", none, 200, 200),
        row(Method::POST, "/api/v1/admin/users", |id| json!({"name": format!("user {id}")}), 201, 201),
        row(Method::PATCH, "/api/v1/admin/users/{user_id}", |_| json!({}), 404, 404),
        row(Method::POST, "/api/v1/admin/users/{user_id}/points", |_| json!({"points": 1}), 404, 404),
        row(Method::GET, "/api/v1/admin/platforms", none, 200, 200),
        row(Method::GET, "/api/v1/admin/audit", none, 200, 200),
        row(Method::GET, "/docs", none, 200, 200),
        row(Method::GET, "/docs/style.css", none, 200, 200),
        row(Method::GET, "/healthz", none, 200, 200),
        row(Method::GET, "/readyz", none, 200, 200),
        row(Method::GET, "/metrics", none, 200, 200),
        row(Method::POST, "/operator/directory", none, 403, 403),
    ]
}

pub(super) fn row_of(method: &Method, path: &str) -> Row {
    let mut rows = rows();
    let at = rows.iter().position(|row| row.method == *method && row.path == path);
    rows.swap_remove(at.unwrap_or_else(|| panic!("{method} {path} has no row")))
}

/// A token's scopes beside none at all, and what they are called.
pub(super) fn kinds() -> Vec<Vec<Scope>> {
    let all = [Scope::Chat, Scope::AccountsRead, Scope::AccountsWrite];
    let mut kinds = vec![vec![], all.to_vec()];
    kinds.extend(all.map(|scope| vec![scope]));
    kinds
}

impl Row {
    /// The row's call about an account, or whatever its ids are of.
    pub(super) async fn call(&self, rig: &Rig, id: i64, token: Option<&str>) -> Answer {
        let request = Request::builder().method(&self.method).uri(self.filled(id));
        let mut request = request.header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        rig.send(request, self.text(id)).await
    }

    /// The row's call in a console session.
    pub(super) async fn call_in(&self, rig: &Rig, id: i64, console: &Console) -> Answer {
        let request = Request::builder().method(&self.method).uri(self.filled(id));
        rig.send(console.with(rig, request), self.text(id)).await
    }

    /// What its ids are of.
    pub(super) fn kind(&self) -> Kind {
        match self.path {
            path if path.starts_with("/api/v1/tokens/") => Kind::Token,
            path if path.starts_with(POOL) => Kind::Pool,
            _ => Kind::Account,
        }
    }

    pub(super) fn filled(&self, id: i64) -> String {
        let model = format!("account:{id}/qwen-plus");
        self.path
            .replace("{*id}", &model)
            .replace("{id}", &id.to_string())
            .replace("{user_id}", "999")
            .replace("{session}", "x")
            .replace("{sid}", "aaaaaaaaaaaaaaaaaaaaaaaaaa")
            .replace("{user}", "tester")
            .replace("{notice}", "1")
    }

    pub(super) fn text(&self, id: i64) -> String {
        match (self.body)(id) {
            Value::Null => String::new(),
            body => body.to_string(),
        }
    }
}

/// What there are ids of.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Account,
    Token,
    Pool,
}

impl Kind {
    /// A new one of a user's.
    pub(super) async fn add(self, rig: &Rig, user: &User, name: &str) -> i64 {
        match self {
            Self::Account => rig.bind(user, "qwen", name, KEYS[1].1[0], 1_000_000).await.0,
            Self::Token => rig.token(user, Grants::default()).await.0.0,
            Self::Pool => rig.team(user).await.0,
        }
    }

    pub(super) async fn remove(self, rig: &Rig, id: i64) {
        let removed = match self {
            Self::Account => rig.store.remove_account(AccountId(id)).await,
            Self::Token => rig.store.revoke_token(TokenId(id)).await,
            Self::Pool => {
                let closed = rig.store.close_team(PoolId(id)).await;
                closed.map(|closed| closed == Closing::Done)
            }
        };
        assert!(removed.unwrap());
    }

    /// What is answered where there is none.
    pub(super) fn missing(self) -> &'static str {
        match self {
            Self::Account => "404 invalid_request_error account_not_found param=account_id",
            Self::Token => "404 invalid_request_error token_not_found param=token_id",
            Self::Pool => "404 invalid_request_error pool_not_found param=pool_id",
        }
    }
}
