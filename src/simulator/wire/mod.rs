//! The wire formats of the simulated platforms, one file a face.
//!
//! Written from the vendors' documents and nothing else; the gateway's dialects
//! are written from them a second time, elsewhere.

pub(super) mod claude;
mod claude_check;
mod claude_errors;
mod claude_read;
pub(super) mod dashscope;
mod dashscope_errors;
mod dashscope_read;
pub(super) mod ernie;
mod ernie_errors;
pub(super) mod glm;
mod glm_errors;
pub(super) mod openai;
mod openai_check;
mod openai_errors;
pub(super) mod qwen;
mod qwen_errors;
pub(super) mod responses;
mod responses_items;
mod responses_read;
pub(super) mod spark;
pub(super) mod spark_ws;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::ask::{Ask, Body};
use super::call::{Habits, Piece, Reply};
use super::complaint::Complaint;
use super::issuer::Issuer;
use super::models::Model;
use super::think::{Answer, Call, Spacing};

/// What a face is called, where it lies and what it has.
pub(super) struct Facts {
    /// `qwen`, `openai`, …
    pub platform: &'static str,
    /// The path that its own paths stand under.
    pub base: &'static str,
    /// Whose its models are, as its list says.
    pub owner: &'static str,
    pub models: &'static [Model],
}

/// A face of a platform; most are OpenAI-like.
pub(super) trait Wire: Send + Sync {
    fn facts(&self) -> &'static Facts;

    fn platform(&self) -> &'static str {
        self.facts().platform
    }

    /// What a path means, less the query.
    fn route<'a>(&self, path: &'a str) -> Option<Route<'a>> {
        Route::under(self.facts().base, path)
    }

    /// The key that a request carries.
    fn key<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        bearer(headers)
    }

    /// Whether a key has the platform's form; such keys are all good.
    fn accepts(&self, key: &str) -> bool;

    /// Whose books a key's requests go to, if it is not the key itself.
    fn owner(&self, _key: &str) -> Option<String> {
        None
    }

    /// Who makes short-lived keys on a path.
    fn issuer(&self, _path: &str) -> Option<Issuer> {
        None
    }

    /// The model of a name, on a path.
    fn model(&self, _path: &str, name: &str) -> Result<&'static Model, Complaint> {
        let known = self.facts().models.iter().find(|m| m.name == name || m.snapshot == name);
        match known {
            Some(model) if model.offline => Err(Complaint::Offline(name.to_owned())),
            Some(model) => Ok(model),
            None => Err(Complaint::UnknownModel(name.to_owned())),
        }
    }

    /// Checks what the headers must say of a request.
    fn admits(&self, _headers: &HeaderMap, _body: &Body) -> Result<(), Complaint> {
        Ok(())
    }

    /// Whether a stream is asked for.
    fn streams(&self, _headers: &HeaderMap, body: &Body) -> bool {
        body.get("stream").and_then(Value::as_bool).unwrap_or(false)
    }

    /// A request without what is nested around it, `stream` among its fields.
    fn unfold(&self, _headers: &HeaderMap, body: Body) -> Result<Body, Complaint> {
        Ok(body)
    }

    /// Reads a request, as strictly as the vendor documents it.
    fn read(&self, body: &Body, model: &'static Model) -> Result<Ask, Complaint>;

    /// The id of an answer.
    fn id(&self, unique: u128) -> String;

    fn habits(&self, ask: &Ask) -> Habits;

    /// The `content-type` of a stream.
    fn stream_type(&self) -> &'static str {
        "text/event-stream"
    }

    /// How the platform's models write JSON.
    fn spacing(&self) -> Spacing {
        Spacing::Compact
    }

    /// The answer in one piece.
    fn whole(&self, reply: &Reply) -> Value;

    /// Writes the events of one piece; nothing for pieces that the platform leaves out.
    fn event(&self, reply: &Reply, piece: &Piece<'_>, out: &mut Vec<u8>);

    /// Writes the event that ends a stream which failed.
    fn broken(&self, reply: &Reply, out: &mut Vec<u8>);

    /// Says a complaint in the platform's words.
    fn refuse(&self, complaint: &Complaint, asked: &Asked) -> Refusal;

    /// Headers that go with every answer.
    fn headers(&self, _asked: &Asked, _headers: &mut HeaderMap) {}

    /// One model, as the list has it.
    fn show(&self, model: &Model) -> Value {
        json!({"id": model.name, "object": "model", "created": 1_773_700_000,
            "owned_by": self.facts().owner})
    }

    /// The list of models.
    fn list(&self, models: Vec<Value>) -> Value {
        json!({"object": "list", "data": models})
    }
}

/// A face over WebSocket, whose handshake proves who asks.
pub(super) trait Socket: Wire {
    /// The model that a path is for.
    fn model_at(&self, path: &str) -> Option<&'static Model>;

    /// The key that a handshake claims to be of.
    fn claims(&self, head: &Parts) -> Option<String>;

    /// Checks a handshake's proof at this time, in seconds since 1970.
    fn prove(&self, head: &Parts, now_s: i64) -> Result<(), Refusal>;

    /// Checks that a request is of whoever proved himself.
    fn names_app(&self, key: &str, frame: &Body) -> Result<(), Complaint>;
}

/// What a path asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Chat,
    Models,
    Model(&'a str),
}

impl Route<'_> {
    /// The three paths under a base such as `/v1`.
    fn under<'a>(base: &str, path: &'a str) -> Option<Route<'a>> {
        match path.strip_prefix(base)? {
            "/chat/completions" => Some(Route::Chat),
            "/models" => Some(Route::Models),
            rest => rest.strip_prefix("/models/").map(Route::Model),
        }
    }
}

/// What is known of a request when it is refused.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub unique: u128,
    /// The answer's id.
    pub id: String,
    /// The model that was named, or nothing.
    pub model: String,
    /// The key, masked.
    pub key: String,
    /// A stream was asked for.
    pub stream: bool,
}

/// An error in a platform's words.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    /// Headers that a fault wants.
    pub raw: Vec<(String, String)>,
    /// A string is sent as it is, with `content-type: text/html`; null is no body.
    pub body: Value,
}

impl Refusal {
    pub(super) fn new(status: u16, body: Value) -> Refusal {
        Refusal { status, headers: Vec::new(), raw: Vec::new(), body }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Refusal {
        self.headers.push((name, value.into()));
        self
    }

    /// What an edge says when the platform behind it does not answer.
    pub(super) fn html() -> Refusal {
        let page = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad \
                    Gateway</h1></center></body></html>";
        Refusal::new(502, Value::from(page))
    }

    pub(super) fn empty() -> Refusal {
        Refusal::new(502, Value::Null)
    }
}

/// The key in `Authorization: Bearer KEY`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !key.trim().is_empty()).then(|| key.trim())
}

/// Writes one SSE event after `prefix` (`data: ` or, for Spark, `data:`).
fn event(out: &mut Vec<u8>, prefix: &str, body: &impl Serialize) {
    out.extend_from_slice(prefix.as_bytes());
    // Into memory, from types that have no failing serializer.
    serde_json::to_writer(&mut *out, body).expect("a chunk serializes");
    out.extend_from_slice(b"\n\n");
}

/// Writes the event that ends a stream.
fn done(out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: [DONE]\n\n");
}

/// The choices of a whole answer, each written by its number.
fn choices(reply: &Reply, write: impl Fn(usize, &Answer) -> Value) -> Value {
    reply.answers.iter().enumerate().map(|(index, answer)| write(index, answer)).collect()
}

/// The calls of an answer, each written by its number; nothing where there are none.
fn calls(answer: &Answer, write: impl Fn(usize, &Call) -> Value) -> Option<Value> {
    let calls = answer.calls.iter().enumerate().map(|(index, call)| write(index, call));
    (!answer.calls.is_empty()).then(|| calls.collect())
}

/// The message of an answer, its thinking only if there was some.
fn message(answer: &Answer, calls: Option<Value>) -> Value {
    let reasoning = answer.reasoning.as_str();
    object([
        ("role", Some("assistant".into())),
        ("content", Some(answer.content.as_str().into())),
        ("reasoning_content", (!reasoning.is_empty()).then(|| reasoning.into())),
        ("tool_calls", calls),
    ])
}

/// Sets headers that are always the same, where a fault did not set them otherwise.
fn steady(headers: &mut HeaderMap, all: &[(&'static str, &'static str)]) {
    for (name, value) in all {
        headers.entry(*name).or_insert(HeaderValue::from_static(value));
    }
}

/// A JSON object from the pairs that have a value.
fn object<const N: usize>(pairs: [(&str, Option<Value>); N]) -> Value {
    let mut map = Map::new();
    for (key, value) in pairs {
        if let Some(value) = value {
            map.insert(key.to_owned(), value);
        }
    }
    Value::Object(map)
}

/// `length` letters and digits that derive from `unique` and `salt`.
fn letters(unique: u128, salt: u128, length: usize) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    digits(unique, salt, length, LETTERS)
}

/// `length` hexadecimal digits that derive from `unique` and `salt`.
pub(super) fn hex(unique: u128, salt: u128, length: usize) -> String {
    digits(unique, salt, length, b"0123456789abcdef")
}

fn digits(unique: u128, salt: u128, length: usize, alphabet: &[u8]) -> String {
    let mut state = unique ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(1);
            char::from(alphabet[(state >> 96) as usize % alphabet.len()])
        })
        .collect()
}

/// A UUID's form.
pub(super) fn uuid(unique: u128, salt: u128) -> String {
    let hex = hex(unique, salt, 32);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
