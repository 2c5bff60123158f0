//! Somebody with a browser: a cookie, and what its pages send along.

use http::Method;
use http::request::Builder;
use serde_json::{Value, json};
use tributary::accounts::{User, UserId};

use super::{Answer, Rig};

pub const PASSWORD: &str = "correct horse battery";

/// A console session.
#[derive(Clone)]
pub struct Console {
    pub user: UserId,
    pub id: String,
    pub cookie: String,
    pub csrf: String,
}

impl Console {
    /// The session that an answer began.
    #[track_caller]
    pub fn of(answer: &Answer) -> Self {
        assert!(answer.status.is_success(), "{answer:?}");
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        let body = answer.json();
        let text = |field: &str| body[field].as_str().unwrap().to_owned();
        Self {
            user: UserId(body["user"].as_i64().unwrap()),
            id: text("session"),
            cookie,
            csrf: text("csrf_token"),
        }
    }

    /// A request as the console's pages send it.
    pub fn with(&self, rig: &Rig, request: Builder) -> Builder {
        let at = rig.running.addresses.public;
        request
            .header("cookie", &self.cookie)
            .header("origin", format!("http://{at}"))
            .header("content-type", "application/json")
            .header("x-csrf-token", &self.csrf)
    }

    pub async fn call(&self, rig: &Rig, method: Method, path: &str, body: Value) -> Answer {
        let request = http::Request::builder().method(method).uri(path);
        let body = if body.is_null() { String::new() } else { body.to_string() };
        rig.send(self.with(rig, request), body).await
    }

    pub async fn get(&self, rig: &Rig, path: &str) -> Answer {
        self.call(rig, Method::GET, path, Value::Null).await
    }

    pub async fn post(&self, rig: &Rig, path: &str, body: Value) -> Answer {
        self.call(rig, Method::POST, path, body).await
    }
}

impl Rig {
    /// Posts JSON without a session, as a script does.
    pub async fn post_json(&self, path: &str, body: Value) -> Answer {
        let request = http::Request::post(path).header("content-type", "application/json");
        self.send(request, body.to_string()).await
    }

    pub async fn sign_in(&self, name: &str, password: &str) -> Answer {
        self.post_json("/api/v1/session", json!({"name": name, "password": password})).await
    }

    /// The first operator, by the link.
    pub async fn operator(&self) -> Console {
        let link = self.running.people.setup_link().await.unwrap().unwrap();
        let body = json!({"token": link, "name": "boss", "password": PASSWORD});
        Console::of(&self.post_json("/api/v1/setup", body).await)
    }

    /// A user's session; it gets a password by a link.
    pub async fn console(&self, user: &User) -> Console {
        let link = self.running.people.password_link(user.id).await.unwrap();
        let body = json!({"token": link, "password": PASSWORD});
        Console::of(&self.post_json("/api/v1/password/reset", body).await)
    }
}
