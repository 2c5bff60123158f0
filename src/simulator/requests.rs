//! The last requests as they came, for tests to see what was sent.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use serde_json::{Map, Value, json};

use super::clock;

/// Most requests that are kept.
const MOST: usize = 256;

/// A longer body is not kept.
const LONGEST_BODY: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Requests {
    last: Mutex<VecDeque<Kept>>,
}

#[derive(Debug)]
struct Kept {
    id: String,
    at_ms: u64,
    method: String,
    target: String,
    headers: HeaderMap,
    body: Option<Bytes>,
}

impl Requests {
    pub(super) fn keep(&self, id: &str, head: Parts, body: Bytes) {
        let kept = Kept {
            id: id.to_owned(),
            at_ms: clock::now_ms(),
            method: head.method.as_str().to_owned(),
            target: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            headers: head.headers,
            body: (body.len() <= LONGEST_BODY).then_some(body),
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == MOST {
            last.pop_front();
        }
        last.push_back(kept);
    }

    /// The last `most` requests, oldest first.
    pub(super) fn show(&self, most: usize) -> Value {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = last.len().saturating_sub(most);
        last.iter().skip(skipped).map(Kept::show).collect()
    }
}

impl Kept {
    fn show(&self) -> Value {
        let mut headers = Map::new();
        for (name, value) in &self.headers {
            let text = String::from_utf8_lossy(value.as_bytes());
            let secret = matches!(name.as_str(), "authorization" | "x-api-key" | "cookie");
            let text = if secret { masked(&text) } else { text.into_owned() };
            headers.insert(name.as_str().to_owned(), Value::String(text));
        }
        let body = match &self.body {
            None => Value::Null,
            Some(body) => serde_json::from_slice(body)
                .unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned().into()),
        };
        json!({"id": self.id, "at_ms": self.at_ms, "method": self.method, "path": self.target,
            "headers": headers, "body": body})
    }
}

/// All but the scheme and the last four characters.
fn masked(value: &str) -> String {
    let (scheme, secret) = value.split_once(' ').unwrap_or(("", value));
    let tail: Vec<char> = secret.chars().rev().take(4).collect();
    let tail: String = tail.into_iter().rev().collect();
    format!("{scheme} …{tail}").trim_start().to_owned()
}
