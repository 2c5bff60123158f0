//! Bodies of answers.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::StatusCode;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http_body::{Frame, SizeHint};
use serde::Serialize;

use super::Response;
use crate::relay::RelayStream;

/// A whole answer goes in pieces of this, so that a caller which takes its time is seen to.
const PIECE: usize = 16 << 10;

/// What follows an answer's head.
pub enum Body {
    /// Bytes, complete.
    Whole(Bytes),
    /// A relayed stream.
    Stream(Box<RelayStream>),
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => {
                Poll::Ready(Some(Ok(Frame::data(bytes.split_to(bytes.len().min(PIECE))))))
            }
            Self::Stream(stream) => Pin::new(stream).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(stream) => stream.size_hint(),
        }
    }
}

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(super) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// An answer of complete bytes.
pub(super) fn whole(status: StatusCode, kind: HeaderValue, bytes: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::Whole(bytes.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

/// An answer of a typed value.
pub(super) fn typed(status: StatusCode, value: &impl Serialize) -> Response {
    whole(status, JSON, serde_json::to_vec(value).expect("an answer is plain data"))
}

/// A document that was written before.
pub fn document(text: &'static str) -> Response {
    whole(StatusCode::OK, JSON, text)
}

/// A page without scripts, which nothing may be added to and nobody may frame.
pub fn page(html: &'static str) -> Response {
    shown(HeaderValue::from_static("text/html; charset=utf-8"), html)
}

/// The stylesheet of a page.
pub fn stylesheet(css: &'static str) -> Response {
    shown(HeaderValue::from_static("text/css; charset=utf-8"), css)
}

fn shown(kind: HeaderValue, text: &'static str) -> Response {
    const POLICY: HeaderValue = HeaderValue::from_static(
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    let mut response = whole(StatusCode::OK, kind, text);
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// A 204.
pub(super) fn no_content() -> Response {
    let mut response = Response::new(Body::Whole(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

/// A 200 of JSON.
pub(super) fn json(value: &serde_json::Value) -> Response {
    whole(StatusCode::OK, JSON, value.to_string())
}
