//! Answers, read whole or piece by piece.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The data of each event.
    pub fn events(&self) -> Vec<String> {
        events(std::str::from_utf8(&self.body).unwrap())
    }

    /// The answer as a row of the error table: status, `type`, `code`, then what it has
    /// beside them.
    pub fn row(&self) -> String {
        let body = self.json();
        let error = body["error"].as_object().unwrap_or_else(|| panic!("no error: {self:?}"));
        let keys: Vec<&str> = error.keys().map(String::as_str).collect();
        assert_eq!(keys, ["message", "type", "param", "code"], "{body}");
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        let word = |key: &str| error[key].as_str().unwrap_or_else(|| panic!("{key} in {body}"));
        let mut row = format!("{} {} {}", self.status.as_u16(), word("type"), word("code"));
        if !error["param"].is_null() {
            row += &format!(" param={}", word("param"));
        }
        if !self.header("retry-after").is_empty() {
            row += " Retry-After";
        }
        if !self.header("x-should-retry").is_empty() {
            row += &format!(" x-should-retry={}", self.header("x-should-retry"));
        }
        row
    }

    /// The words of an error.
    pub fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }

    /// `Retry-After` in seconds.
    pub fn retry_after(&self) -> u64 {
        self.header("retry-after").parse().unwrap_or_else(|_| panic!("Retry-After: {self:?}"))
    }

    /// The account that answered.
    pub fn account(&self) -> i64 {
        self.header("x-tributary-account")
            .parse()
            .unwrap_or_else(|_| panic!("no account: {self:?}"))
    }

    pub fn attempts(&self) -> &str {
        self.header("x-tributary-attempts")
    }

    /// The answer's text, whole or streamed.
    pub fn content(&self) -> String {
        if !self.header("content-type").starts_with("text/event-stream") {
            let body = self.json();
            return body["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
        }
        let events = self.events();
        assert_eq!(events.last().map(String::as_str), Some("[DONE]"), "{events:?}");
        said(&events)
    }
}

fn events(text: &str) -> Vec<String> {
    let data = |event: &str| event.strip_prefix("data: ").map(str::to_owned);
    text.split("\n\n").filter_map(data).collect()
}

/// The text that the whole ones of some events say.
fn said(events: &[String]) -> String {
    let chunks = events.iter().filter_map(|event| serde_json::from_str::<Value>(event).ok());
    chunks.filter_map(|chunk| delta(&chunk)).collect()
}

fn delta(chunk: &Value) -> Option<String> {
    chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned)
}

/// A stream that is being read. Dropping it is a caller's hang-up.
pub struct Stream {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Incoming,
}

impl Stream {
    pub fn new(response: http::Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        Self { status: head.status, headers: head.headers, body }
    }

    /// What comes next; `None` at its end.
    pub async fn next(&mut self) -> Option<String> {
        let patience = Duration::from_secs(20);
        let frame = tokio::time::timeout(patience, self.body.frame()).await.expect("it goes on")?;
        let data = frame.unwrap().into_data().unwrap();
        Some(std::str::from_utf8(&data).unwrap().to_owned())
    }

    /// Reads on until the text holds this.
    pub async fn until(&mut self, wanted: &str) -> String {
        let mut text = String::new();
        while !text.contains(wanted) {
            text += &self.next().await.unwrap_or_else(|| panic!("no {wanted:?} in {text}"));
        }
        text
    }

    /// The request's id.
    pub fn id(&self) -> String {
        self.headers["x-request-id"].to_str().unwrap().to_owned()
    }

    /// Reads on until this many bytes have come, or the text says enough, or it ends;
    /// answers what the text says.
    pub async fn read(&mut self, most_bytes: usize, enough: impl Fn(&str) -> bool) -> String {
        let mut text = String::new();
        while text.len() < most_bytes && !enough(&said(&events(&text))) {
            let Some(more) = self.next().await else { break };
            text += &more;
        }
        said(&events(&text))
    }

    pub async fn rest(self) -> Answer {
        let body = self.body.collect().await.unwrap().to_bytes();
        Answer { status: self.status, headers: self.headers, body }
    }
}
