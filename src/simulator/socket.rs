//! A face over WebSocket: one connection a request.
//!
//! The handshake is refused as HTTP, what comes after it in frames. The request is one
//! message; each event of its answer is one too, and what shall cut a body (`split`) cuts
//! messages into fragments, inside of characters too.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::header::{
    CONNECTION, DATE, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::ask::Body;
use super::body::AnswerBody;
use super::chat::{self, Head};
use super::clock;
use super::complaint::Complaint;
use super::faults::{Instead, Manner, Misbehaviour, On};
use super::ledger::Entry;
use super::site::Faces;
use super::wire::{Asked, Refusal, Socket};

/// A connection without a request is closed after this.
const PATIENCE: Duration = Duration::from_secs(60);

type Peer = WebSocketStream<TokioIo<Upgraded>>;

/// A WebSocket that opens when its handshake's answer was written.
pub(super) struct Session {
    faces: Arc<Faces>,
    wire: &'static dyn Socket,
    asked: Asked,
    head: Parts,
    key: String,
    met: Misbehaviour,
    /// What is answered, whatever is asked.
    refusal: Option<Refusal>,
    upgrade: OnUpgrade,
}

/// Whether a request is a handshake.
pub(super) fn is_handshake(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|what| what.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Answers a handshake; with it what follows if it is accepted.
pub(super) fn greet(
    faces: Arc<Faces>,
    wire: &'static dyn Socket,
    mut request: Request<Incoming>,
) -> (Response<AnswerBody>, Option<Session>) {
    let site = faces.usual();
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, _) = request.into_parts();
    let mut asked = site.asked();
    asked.id = crate::simulator::wire::Wire::id(wire, asked.unique);
    let refuse = |asked: &Asked, refusal: Refusal, entry: Option<Entry>, ahead: i64| {
        let mut answer = chat::refusal(site, asked, refusal, entry, Manner::default());
        tell_time(answer.headers_mut(), ahead);
        (answer, None)
    };
    let Some(model) = wire.model_at(head.uri.path()) else {
        return refuse(&asked, wire.refuse(&Complaint::NoRoute, &asked), None, 0);
    };
    let Some(key) = wire.claims(&head) else {
        return refuse(&asked, wire.refuse(&Complaint::NoKey, &asked), None, 0);
    };
    asked.key = chat::masked(&key);
    asked.model = model.name.to_owned();
    let credential = chat::credential(&key);
    let greeted = site.faults.meet(On::Handshake, &credential, model.name);
    let ahead = greeted.clock_ahead_s;
    let now = i64::try_from(clock::now_s()).unwrap_or_default();
    if let Err(refusal) = wire.prove(&head, now + ahead) {
        return refuse(&asked, refusal, None, ahead);
    }
    let mut met = site.faults.meet(On::Chat, &credential, model.name);
    let refusal = match greeted.instead.or(met.instead.take()) {
        Some(Instead::Class(class)) => Some(wire.refuse(&Complaint::Class(class), &asked)),
        Some(Instead::Status { status, body, headers }) => {
            let raw = headers.into_iter().collect();
            Some(Refusal { raw, ..Refusal::new(status, body) })
        }
        other => {
            met.instead = other;
            None
        }
    };
    if let Some(refusal) = refusal.as_ref().filter(|refusal| refusal.status != 200) {
        let entry = site.ledger.open(&asked.id, &credential, model.name, true);
        return refuse(&asked, refusal.clone(), Some(entry), ahead);
    }
    let mut answer = Response::new(AnswerBody::whole(Bytes::new(), None, Manner::default()));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let asked_key = head.headers.get(SEC_WEBSOCKET_KEY).map_or(&b""[..], HeaderValue::as_bytes);
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(asked_key)) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    tell_time(headers, ahead);
    (answer, Some(Session { faces, wire, asked, head, key, met, refusal, upgrade }))
}

/// The platform's own time, which may be another.
fn tell_time(headers: &mut HeaderMap, ahead_s: i64) {
    let now = i64::try_from(clock::now_s()).unwrap_or_default() + ahead_s;
    let now = jiff::Timestamp::from_second(now).unwrap_or_default();
    let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
    if let Ok(Ok(date)) = text.map(HeaderValue::try_from) {
        headers.insert(DATE, date);
    }
}

impl Session {
    /// Reads the request and answers it, until either side has enough.
    pub(super) async fn run(self) {
        let Session { faces, wire, asked, mut head, key, mut met, refusal, upgrade } = self;
        let site = faces.usual();
        let Ok(upgraded) = upgrade.await else { return };
        let io = TokioIo::new(upgraded);
        let mut peer = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
        let Ok(Some(text)) = tokio::time::timeout(PATIENCE, request(&mut peer)).await else {
            return;
        };
        // Who only shakes hands has asked for nothing.
        let entry = site.ledger.open(&asked.id, &chat::credential(&key), &asked.model, true);
        let path = head.uri.path().to_owned();
        // The query is the proof, which nobody is to read.
        head.uri = path.parse().unwrap_or_default();
        let headers = head.headers.clone();
        site.requests.keep(&asked.id, head, text.clone());
        let instead = met.instead.take();
        if matches!(instead, Some(Instead::Close)) {
            return;
        }
        if matches!(instead, Some(Instead::Hang)) {
            let _ = request(&mut peer).await; // Nothing comes but the end.
            return;
        }
        tokio::time::sleep(Duration::from_millis(met.delay_head_ms)).await;
        let mut manner = met.manner;
        let body = match refusal {
            Some(refusal) => spoken(refusal, entry, manner),
            None => {
                let head = Head { path: &path, headers: &headers };
                match read(wire, head, &key, &asked.model, &text) {
                    Err(complaint) => spoken(wire.refuse(&complaint, &asked), entry, manner),
                    Ok(ask) => {
                        manner.delay_chunk_ms += chat::pace(ask.question());
                        chat::reply(wire, asked, ask, entry, manner).into_body()
                    }
                }
            }
        };
        // One that was cut goes without a word.
        if say(&mut peer, body).await.is_ok() {
            let _ = peer.close(None).await;
        }
    }
}

fn read(
    wire: &'static dyn Socket,
    head: Head<'_>,
    key: &str,
    model: &str,
    text: &[u8],
) -> Result<super::ask::Ask, Complaint> {
    let frame: Body = serde_json::from_slice(text).map_err(|_| Complaint::NotJson)?;
    wire.names_app(key, &frame)?;
    chat::read(wire, head, model, frame)
}

/// A refusal as a frame.
fn spoken(refusal: Refusal, entry: Entry, manner: Manner) -> AnswerBody {
    entry.answered(refusal.status);
    let text = match refusal.body {
        Value::String(text) => text,
        json => json.to_string(),
    };
    AnswerBody::whole(text, Some(entry), manner)
}

/// The next text that comes; nothing when the peer has gone.
async fn request(peer: &mut Peer) -> Option<Bytes> {
    loop {
        match peer.next().await? {
            Ok(Message::Text(text)) => return Some(text.into()),
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            _ => return None,
        }
    }
}

/// Writes an answer; what the body hands out between two events is a message's fragment.
async fn say(peer: &mut Peer, mut body: AnswerBody) -> Result<(), Error> {
    let mut begun = false;
    loop {
        let piece = tokio::select! {
            piece = body.frame() => piece,
            heard = peer.next() => match heard {
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_))) => continue,
                // It hung up: dropping the body tells the books.
                _ => return Err(Error::ConnectionClosed),
            },
        };
        let Some(piece) = piece else { return Ok(()) };
        let Ok(piece) = piece else { return Err(Error::ConnectionClosed) };
        let Ok(data) = piece.into_data() else { continue };
        let is_whole = body.is_between_events();
        let kind = if begun { Data::Continue } else { Data::Text };
        begun = !is_whole;
        peer.send(Message::Frame(Frame::message(data, OpCode::Data(kind), is_whole))).await?;
    }
}
