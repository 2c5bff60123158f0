//! Short-lived keys: made of a key that proves itself, good until their end.
//!
//! | platform | asked by |
//! | --- | --- |
//! | `ernie` | `GET /v1/BCE-BEARER/token?expireInSeconds=300…2592000` (1800), signed or with a long-lived key |
//! | `qwen` | `POST /api/v1/tokens?expire_in_seconds=1…1800` (60), with an API key |
//!
//! `/_sim/keys` on each origin is the operator's side: `GET` counts what was made and what
//! lives, `POST {"life_s": N}` lets those to come end after so long, whatever was asked, and
//! `DELETE` ends all at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};

use super::site::Site;
use super::wire::{Asked, Refusal, bearer, hex, uuid};
use super::{clock, proof};

/// Who makes keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Issuer {
    Baidu,
    Dashscope,
}

/// The keys that were made.
#[derive(Debug, Default)]
pub(super) struct Issued(Mutex<Books>);

#[derive(Debug, Default)]
struct Books {
    /// By the key: whose books its requests go to, and when it ends.
    keys: HashMap<String, (String, u64)>,
    made: u64,
    life_s: Option<u64>,
}

/// What is known of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It was not made here.
    No,
    /// It lives, and is this one's.
    Lives(String),
    /// It has ended.
    Ended,
}

impl Issued {
    pub(super) fn look_up(&self, key: &str) -> Known {
        let books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match books.keys.get(key) {
            None => Known::No,
            Some((owner, end_ms)) if clock::now_ms() < *end_ms => Known::Lives(owner.clone()),
            Some(_) => Known::Ended,
        }
    }

    /// Makes a key; answers when it ends, in seconds.
    fn make(&self, key: &str, owner: &str, life_s: u64) -> u64 {
        let mut books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let life_s = books.life_s.unwrap_or(life_s);
        let end_ms = clock::now_ms() + 1000 * life_s;
        books.keys.insert(key.to_owned(), (owner.to_owned(), end_ms));
        books.made += 1;
        end_ms / 1000
    }

    /// The operator's side; `None` for a method that it has not.
    pub(super) fn operate(&self, method: &Method, body: &Bytes) -> Option<Value> {
        let mut books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *method {
            Method::GET => {}
            Method::POST => {
                let asked: Value = serde_json::from_slice(body).ok()?;
                books.life_s = asked["life_s"].as_u64();
            }
            Method::DELETE => books.keys.values_mut().for_each(|(_, end_ms)| *end_ms = 0),
            _ => return None,
        }
        let now = clock::now_ms();
        let live = books.keys.values().filter(|(_, end_ms)| now < *end_ms).count();
        Some(json!({"made": books.made, "live": live}))
    }
}

/// Answers a request for a key.
pub(super) fn answer(site: &Site, issuer: Issuer, head: &Parts, asked: &Asked) -> Refusal {
    let (method, uri, headers) = (&head.method, &head.uri, &head.headers);
    match issuer {
        Issuer::Baidu => baidu(site, method, uri, headers, asked),
        Issuer::Dashscope => dashscope(site, method, uri, headers, asked),
    }
}

fn baidu(site: &Site, method: &Method, uri: &Uri, headers: &HeaderMap, asked: &Asked) -> Refusal {
    let request_id = uuid(asked.unique, 1);
    let refuse = |(status, code, message): proof::Refused| {
        let body = json!({"code": code, "message": message, "requestId": request_id});
        Refusal::new(status, body)
    };
    const DENIED: proof::Refused = (403, "AccessDenied", "Access denied.");
    if method != Method::GET {
        return refuse((405, "MethodNotAllowed", "The method is not allowed."));
    }
    let signed = headers.get("authorization").and_then(|value| value.to_str().ok());
    let owner = match (bearer(headers), signed) {
        (Some(key), _) => {
            // A short-lived one makes no other.
            let is_long = site.wire.accepts(key) && site.issued.look_up(key) == Known::No;
            if is_long { Ok(key.to_owned()) } else { Err(DENIED) }
        }
        (None, Some(signature)) => proof::bce_access_key(method, uri, headers, signature),
        (None, None) => Err(DENIED),
    };
    let owner = match owner {
        Ok(owner) => owner,
        Err(refused) => return refuse(refused),
    };
    let Some(life) = asked_life(uri, "expireInSeconds", 1800, 300..=2_592_000) else {
        let words = "expireInSeconds is not in the range of 300 to 2592000.";
        return refuse((400, "InappropriateJSON", words));
    };
    let key = format!("bce-v3/ALTAK-{}/{}", hex(asked.unique, 3, 21), hex(asked.unique, 4, 40));
    let end = site.issued.make(&key, &owner, life);
    let date = |second: u64| {
        let second = i64::try_from(second).unwrap_or_default();
        jiff::Timestamp::from_second(second).unwrap_or_default().to_string()
    };
    Refusal::new(
        200,
        json!({"userId": hex(asked.unique, 5, 32), "token": key, "status": "enable",
            "createTime": date(clock::now_s()), "expireTime": date(end)}),
    )
}

fn dashscope(
    site: &Site,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    asked: &Asked,
) -> Refusal {
    let refuse = |status, code: &str, message: &str| {
        let id = uuid(asked.unique, 0);
        Refusal::new(status, json!({"code": code, "message": message, "request_id": id}))
    };
    if method != Method::POST {
        return refuse(405, "InvalidParameter", "Request method is not supported.");
    }
    let key = bearer(headers).filter(|key| site.wire.accepts(key) && key.starts_with("sk-"));
    let Some(key) = key else {
        return refuse(401, "InvalidApiKey", "Invalid API-key provided.");
    };
    let Some(life) = asked_life(uri, "expire_in_seconds", 60, 1..=1800) else {
        return refuse(400, "InvalidParameter", "expire_in_seconds should be in [1, 1800]");
    };
    let made = format!("st-{}", hex(asked.unique, 3, 32));
    let end = site.issued.make(&made, key, life);
    Refusal::new(200, json!({"token": made, "expires_at": end}))
}

fn asked_life(
    uri: &Uri,
    name: &str,
    usual: u64,
    lives: std::ops::RangeInclusive<u64>,
) -> Option<u64> {
    let pairs = uri.query().unwrap_or_default().split('&');
    let given = pairs.filter_map(|pair| pair.split_once('=')).find(|(known, _)| *known == name);
    match given {
        None => Some(usual),
        Some((_, text)) => text.parse().ok().filter(|life| lives.contains(life)),
    }
}
