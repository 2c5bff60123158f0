//! One request to a platform, from its key to the head of its answer.
//!
//! credential -> faults -> checks -> answer. The order is the platforms': a bad key
//! is refused before a bad body.

use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::Value;

use super::ask::{Ask, Body};
use super::body::AnswerBody;
use super::call::{Reply, Usage};
use super::clock;
use super::complaint::Complaint;
use super::faults::{Instead, Manner, On};
use super::issuer::{self, Known};
use super::ledger::Entry;
use super::login::{self, Login};
use super::site::Site;
use super::think;
use super::wire::{Asked, Refusal, Route, Wire};

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed on purpose")]
pub(super) struct Closed;

/// Answers a request to the platform itself.
pub(super) async fn answer(
    site: &Site,
    head: Parts,
    body: Bytes,
) -> Result<Response<AnswerBody>, Closed> {
    let mut asked = site.asked();
    let key = site.wire.key(&head.headers).map(str::to_owned);
    let headers = head.headers.clone();
    let path = head.uri.path().to_owned();
    site.requests.keep(&asked.id, head.clone(), body.clone());
    if let Some(issuer) = site.wire.issuer(&path) {
        let mut met = site.faults.meet(On::Keys, "", "");
        let replaced = instead(site, &asked, &mut met.instead, met.delay_head_ms).await?;
        let made = replaced.unwrap_or_else(|| issuer::answer(site, issuer, &head, &asked));
        return Ok(refusal(site, &asked, made, None, Manner::default()));
    }
    let refused = |asked: &Asked, complaint: Complaint| {
        Ok(refusal(site, asked, site.wire.refuse(&complaint, asked), None, Manner::default()))
    };
    let Some(route) = site.wire.route(&path) else { return refused(&asked, Complaint::NoRoute) };
    let owner = match (login::of(&headers, key.as_deref()), key) {
        (Some(Login::Good(owner)), _) => Some(owner),
        (Some(Login::Bad), _) => None,
        (None, None) => return refused(&asked, Complaint::NoKey),
        (None, Some(key)) => {
            asked.key = masked(&key);
            match site.issued.look_up(&key) {
                Known::Lives(owner) => Some(owner),
                Known::Ended => None,
                Known::No if !site.wire.accepts(&key) => None,
                Known::No => Some(site.wire.owner(&key).unwrap_or(key)),
            }
        }
    };
    let Some(owner) = owner else {
        return refused(&asked, Complaint::BadKey(asked.key.clone()));
    };
    let credential = credential(&owner);
    match route {
        Route::Chat => {
            chat(site, asked, Head { path: &path, headers: &headers }, &credential, &body).await
        }
        Route::Models => models(site, &asked, &credential, None).await,
        Route::Model(name) => models(site, &asked, &credential, Some(name)).await,
    }
}

/// What stands before a request's body.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub path: &'a str,
    pub headers: &'a HeaderMap,
}

async fn chat(
    site: &Site,
    mut asked: Asked,
    head: Head<'_>,
    credential: &str,
    body: &[u8],
) -> Result<Response<AnswerBody>, Closed> {
    let parsed = serde_json::from_slice::<Body>(body);
    let field = |key: &str| parsed.as_ref().ok().and_then(|body| body.get(key));
    asked.model = field("model").and_then(Value::as_str).unwrap_or_default().to_owned();
    let streams = |body| site.wire.streams(head.headers, body);
    asked.stream = parsed.as_ref().is_ok_and(streams);
    let entry = site.ledger.open(&asked.id, credential, &asked.model, asked.stream);
    let mut met = site.faults.meet(On::Chat, credential, &asked.model);
    if let Some(replaced) = instead(site, &asked, &mut met.instead, met.delay_head_ms).await? {
        return Ok(refusal(site, &asked, replaced, Some(entry), met.manner));
    }
    let ask = match parsed {
        Ok(body) => read(site.wire, head, &asked.model, body),
        Err(_) => Err(Complaint::NotJson),
    };
    let ask = match ask {
        Ok(ask) => ask,
        Err(complaint) => {
            let refused = site.wire.refuse(&complaint, &asked);
            return Ok(refusal(site, &asked, refused, Some(entry), met.manner));
        }
    };
    let mut manner = met.manner;
    manner.delay_chunk_ms += pace(ask.question());
    Ok(reply(site.wire, asked, ask, entry, manner))
}

pub(super) fn read(
    wire: &dyn Wire,
    head: Head<'_>,
    name: &str,
    body: Body,
) -> Result<Ask, Complaint> {
    wire.admits(head.headers, &body)?;
    if name.is_empty() {
        return Err(Complaint::invalid("model", super::complaint::Rule::Missing));
    }
    let model = wire.model(head.path, name)?;
    let body = wire.unfold(head.headers, body)?;
    let ask = wire.read(&body, model)?;
    if ask.prompt_tokens > model.context {
        return Err(Complaint::TooLong { prompt: ask.prompt_tokens, limit: model.context });
    }
    Ok(ask)
}

pub(super) fn reply(
    wire: &'static dyn Wire,
    asked: Asked,
    ask: Ask,
    entry: Entry,
    manner: Manner,
) -> Response<AnswerBody> {
    let spacing = wire.spacing();
    let answers: Vec<_> = (0..ask.n).map(|n| think::answer(&ask, n, spacing)).collect();
    let usage = Usage {
        prompt: ask.prompt_tokens,
        cached: cached(&ask, &entry),
        image: ask.image_tokens,
        completion: answers.iter().map(|answer| answer.tokens).sum(),
        reasoning: answers.iter().map(|answer| answer.reasoning_tokens).sum(),
    };
    entry.answered(200);
    entry.read(usage.prompt);
    let mut headers = HeaderMap::new();
    wire.headers(&asked, &mut headers);
    let Asked { unique, id, .. } = asked;
    let stream = ask.stream;
    let events = Cell::new(0);
    let reply = Reply { ask, unique, id, created: clock::now_s(), answers, usage, events };
    let (kind, body) = if stream {
        (wire.stream_type(), AnswerBody::stream(wire, reply, entry, manner))
    } else {
        entry.wrote(usage.completion);
        let whole = wire.whole(&reply).to_string();
        ("application/json", AnswerBody::whole(whole, Some(entry), manner))
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

async fn models(
    site: &Site,
    asked: &Asked,
    credential: &str,
    name: Option<&str>,
) -> Result<Response<AnswerBody>, Closed> {
    let mut met = site.faults.meet(On::Models, credential, name.unwrap_or_default());
    if let Some(replaced) = instead(site, asked, &mut met.instead, met.delay_head_ms).await? {
        return Ok(refusal(site, asked, replaced, None, met.manner));
    }
    let mut known = site.wire.facts().models.iter().filter(|model| !model.offline);
    let body = match name {
        None => {
            let list: Vec<Value> = known.map(|model| site.wire.show(model)).collect();
            site.wire.list(list)
        }
        Some(name) => match known.find(|model| model.name == name) {
            Some(model) => site.wire.show(model),
            None => {
                let complaint = Complaint::UnknownModel(name.to_owned());
                let refused = site.wire.refuse(&complaint, asked);
                return Ok(refusal(site, asked, refused, None, met.manner));
            }
        },
    };
    Ok(refusal(site, asked, Refusal::new(200, body), None, met.manner))
}

/// Waits as a fault wants; what it answers instead, if it does.
async fn instead(
    site: &Site,
    asked: &Asked,
    instead: &mut Option<Instead>,
    delay_ms: u64,
) -> Result<Option<Refusal>, Closed> {
    if delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }
    Ok(match instead.take() {
        None => None,
        Some(Instead::Close) => return Err(Closed),
        Some(Instead::Hang) => std::future::pending().await,
        Some(Instead::Class(class)) => Some(site.wire.refuse(&Complaint::Class(class), asked)),
        Some(Instead::Status { status, body, headers }) => {
            let mut refused = Refusal::new(status, body);
            refused.raw = headers.into_iter().collect();
            Some(refused)
        }
    })
}

/// An answer that was not thought about: an error, a list of models.
pub(super) fn refusal(
    site: &Site,
    asked: &Asked,
    refused: Refusal,
    entry: Option<Entry>,
    manner: Manner,
) -> Response<AnswerBody> {
    let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::BAD_GATEWAY);
    if let Some(entry) = &entry {
        entry.answered(status.as_u16());
    }
    let mut headers = HeaderMap::new();
    let raw = refused.raw.into_iter();
    let own = refused.headers.into_iter().map(|(name, value)| (name.to_owned(), value));
    for (name, value) in own.chain(raw) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    let (kind, body) = match refused.body {
        Value::Null => (None, String::new()),
        Value::String(text) => (Some("text/html"), text),
        json => (Some("application/json"), json.to_string()),
    };
    if kind != Some("text/html") {
        site.wire.headers(asked, &mut headers);
    }
    if let Some(kind) = kind {
        headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
    }
    let mut response = Response::new(AnswerBody::whole(body, entry, manner));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// What the ledger calls a credential: its last six characters.
pub(super) fn credential(key: &str) -> String {
    let start = key.char_indices().rev().nth(5).map_or(0, |(at, _)| at);
    format!("…{}", &key[start..])
}

/// A key as platforms print it: its prefix, stars, its last four characters.
pub(super) fn masked(key: &str) -> String {
    let chars: Vec<char> = key.chars().collect();
    if chars.len() <= 12 {
        return "*".repeat(chars.len());
    }
    let head: String = chars.iter().take(8).collect();
    let tail: String = chars.iter().skip(chars.len() - 4).collect();
    format!("{head}{}{tail}", "*".repeat(chars.len() - 12))
}

/// `pace N ms` in the user's text: a delay before each event.
pub(super) fn pace(question: &str) -> u64 {
    let after = question.split_once("pace ").map_or("", |(_, after)| after);
    let mut words = after.split_whitespace();
    let ms = words.next().and_then(|ms| ms.parse::<u64>().ok());
    let named = words.next().is_some_and(|word| word.starts_with("ms"));
    ms.filter(|_| named).unwrap_or(0).min(60_000)
}

/// Tokens of the prompt that the platform has seen before, of this credential.
///
/// As documented for OpenAI: from 1024 tokens on, in steps of 128.
fn cached(ask: &Ask, entry: &Entry) -> u64 {
    const LEAST: u64 = 1024;
    const STEP: u64 = 128;
    if ask.prompt_tokens < LEAST {
        return 0;
    }
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    ask.model.name.hash(&mut hasher);
    let mut tokens = 0;
    let prefixes: Vec<(u64, u64)> = ask
        .turns
        .iter()
        .map(|turn| {
            turn.text.hash(&mut hasher);
            turn.images.hash(&mut hasher);
            tokens += turn.tokens;
            (hasher.finish(), tokens)
        })
        .collect();
    let cached = entry.cached(&prefixes);
    if cached < LEAST { 0 } else { cached / STEP * STEP }
}
