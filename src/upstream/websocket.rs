//! WebSockets: an answer that comes in messages.
//!
//! The handshake is a request like any other, by the same checks of addresses, TLS and
//! limits; what refuses it is an answer like any other. Once open, the request's body goes as
//! one text message, and every message that comes is a piece of the answer's body. Each
//! request has a connection of its own, and dropping its answer closes it at once.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::header::{
    ACCEPT, CONNECTION, CONTENT_TYPE, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::uri::Scheme;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::failure::chain;
use super::pool::{Connector, send_alone};
use super::{Body, Reply, SendFailure};

/// No platform sends a message near this long; one that does is broken or hostile.
const LONGEST_MESSAGE: usize = 1 << 20;

/// A message has a few hundred bytes; a longer one makes the buffer grow.
const READ_BUFFER: usize = 4 << 10;

/// What an open WebSocket says.
pub struct Messages {
    socket: WebSocketStream<TokioIo<Upgraded>>,
    /// Came before the answer's head was given out.
    first: Option<Bytes>,
}

/// How long each part may take.
#[derive(Clone, Copy)]
pub(super) struct Within {
    /// The connection and the handshake together.
    pub(super) connect: Duration,
    /// From the request to the first message.
    pub(super) first: Duration,
}

/// Whether an address is a WebSocket's.
pub(super) fn is_spoken_at(url: &Uri) -> bool {
    matches!(url.scheme_str(), Some("ws" | "wss"))
}

/// Opens a WebSocket, sends the request's body as its one message, and waits for the first
/// that comes back: the answer's head is then a plain success.
pub(super) async fn open(
    connector: &Connector,
    request: Request<Full<Bytes>>,
    within: Within,
) -> Result<Reply, SendFailure> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await;
    let text = Utf8Bytes::try_from(body.to_bytes())
        .map_err(|_| SendFailure::NotConnected("the request is no text".to_owned()))?;
    let opening =
        tokio::time::timeout(within.connect, handshake(connector, head.uri, head.headers));
    let (headers, socket) = match opening.await {
        Ok(Ok(Opened::Socket(headers, socket))) => (headers, *socket),
        Ok(Ok(Opened::Refused(reply))) => return Ok(reply),
        Ok(Err(why)) => return Err(SendFailure::NotConnected(why)),
        Err(_) => return Err(no_socket(within.connect)),
    };
    let mut messages = Messages { socket, first: None };
    let answer = tokio::time::timeout(within.first, async {
        messages.socket.send(Message::Text(text)).await.map_err(broken)?;
        std::future::poll_fn(|cx| messages.poll_next(cx)).await.transpose()
    });
    let first =
        answer.await.map_err(|_| SendFailure::TimedOut { seconds: within.first.as_secs() })??;
    messages.first = first;
    Ok(Reply { status: StatusCode::OK, headers, body: Body::Messages(Box::new(messages)) })
}

/// Opens a WebSocket, and closes it without a word: a plain success, where it opens.
pub(super) async fn knock(
    connector: &Connector,
    request: Request<Full<Bytes>>,
    within: Duration,
) -> Result<(StatusCode, HeaderMap, Option<Body>), SendFailure> {
    let (head, _) = request.into_parts();
    match tokio::time::timeout(within, handshake(connector, head.uri, head.headers)).await {
        Ok(Ok(Opened::Socket(headers, _))) => Ok((StatusCode::OK, headers, None)),
        Ok(Ok(Opened::Refused(reply))) => Ok((reply.status, reply.headers, Some(reply.body))),
        Ok(Err(why)) => Err(SendFailure::NotConnected(why)),
        Err(_) => Err(no_socket(within)),
    }
}

fn no_socket(within: Duration) -> SendFailure {
    SendFailure::NotConnected(format!("no WebSocket within {within:?}"))
}

/// What a handshake came to.
enum Opened {
    Socket(HeaderMap, Box<WebSocketStream<TokioIo<Upgraded>>>),
    Refused(Reply),
}

/// Nothing of the request has gone before this has succeeded.
async fn handshake(connector: &Connector, url: Uri, headers: HeaderMap) -> Result<Opened, String> {
    let key = generate_key();
    let mut request = Request::new(Full::default());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = over_http(url).map_err(|error| error.to_string())?;
    *request.headers_mut() = headers;
    let headers = request.headers_mut();
    // Of a request's body; this has none.
    headers.remove(CONTENT_TYPE);
    headers.remove(ACCEPT);
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let sent = HeaderValue::from_str(&key).map_err(|error| error.to_string())?;
    headers.insert(SEC_WEBSOCKET_KEY, sent);
    let answer = send_alone(connector, request).await.map_err(|error| chain(&error))?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    if status != StatusCode::SWITCHING_PROTOCOLS {
        let body = Body::Http(answer.into_body(), None);
        return Ok(Opened::Refused(Reply { status, headers, body }));
    }
    let accepted = headers.get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
    if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
        return Err("it switched to no WebSocket of ours".to_owned());
    }
    let upgraded = hyper::upgrade::on(answer).await.map_err(|error| chain(&error))?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(LONGEST_MESSAGE))
        .max_frame_size(Some(LONGEST_MESSAGE));
    let io = TokioIo::new(upgraded);
    let socket = WebSocketStream::from_raw_socket(io, Role::Client, Some(config)).await;
    Ok(Opened::Socket(headers, Box::new(socket)))
}

/// The address that the handshake's request goes to.
fn over_http(url: Uri) -> Result<Uri, http::Error> {
    let mut parts = url.into_parts();
    let secure = parts.scheme.as_ref().is_some_and(|scheme| scheme.as_str() == "wss");
    parts.scheme = Some(if secure { Scheme::HTTPS } else { Scheme::HTTP });
    Ok(Uri::from_parts(parts)?)
}

impl Messages {
    /// The next message; the library answers pings beside it.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, SendFailure>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        loop {
            let came = match ready!(self.socket.poll_next_unpin(cx)) {
                Some(Ok(Message::Text(text))) => Some(Ok(text.into())),
                Some(Ok(Message::Binary(bytes))) => Some(Ok(bytes)),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(Some(close)))) if close.code != CloseCode::Normal => {
                    // Its words are the platform's, and go nowhere.
                    let why = format!("closed with code {}", u16::from(close.code));
                    Some(Err(SendFailure::Broken(why)))
                }
                Some(Ok(Message::Close(_))) | None => None,
                Some(Err(error)) => Some(Err(broken(error))),
            };
            return Poll::Ready(came);
        }
    }
}

fn broken(error: Error) -> SendFailure {
    match error {
        Error::Capacity(_) => SendFailure::TooLong { limit: LONGEST_MESSAGE },
        error => SendFailure::Broken(chain(&error)),
    }
}

#[cfg(test)]
mod tests;
