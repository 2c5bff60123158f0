//! An answer's body, whichever way it comes.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::SendFailure;
use super::kept::Lent;
use super::websocket::Messages;

/// What follows an answer's head; dropping it cancels the request.
pub enum Body {
    /// The body of an HTTP answer, and the connection that it comes by.
    Http(Incoming, Option<Lent>),
    /// The messages of a WebSocket, each a piece of its own.
    Messages(Box<Messages>),
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = SendFailure;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SendFailure>>> {
        match self.get_mut() {
            Body::Http(body, _) => Pin::new(body).poll_frame(cx).map_err(SendFailure::from),
            Body::Messages(messages) => messages.poll_next(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            // Of a connection that was lent the end itself is waited for: then it is free.
            Body::Http(body, lent) => lent.is_none() && body.is_end_stream(),
            Body::Messages(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Http(body, _) => body.size_hint(),
            Body::Messages(_) => SizeHint::default(),
        }
    }
}
