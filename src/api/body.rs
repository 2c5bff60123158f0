//! Reading a request's body.

use bytes::{Bytes, BytesMut};
use http::Version;
use http::header::EXPECT;
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{ApiError, App, Request};
use crate::telemetry::within;

/// Of a body that nobody wants no more than this is read.
const MOST_DISCARDED: u64 = 64 << 20;

/// Reads a caller's body to its end, within the configured limits.
pub(super) async fn read(app: &App, body: &mut Incoming) -> Result<Bytes, ApiError> {
    read_up_to(app.max_body_bytes, app, body).await
}

/// Reads a body of at most `limit` bytes to its end.
pub(super) async fn read_up_to(
    limit: usize,
    app: &App,
    body: &mut Incoming,
) -> Result<Bytes, ApiError> {
    let too_long = || ApiError::BodyTooLong { limit };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_long());
    }
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while !body.is_end_stream() {
        let next = within(app.body_timeout, body.frame()).await;
        let Some(frame) = next.ok_or(ApiError::BodyTooSlow)? else { break };
        let frame = frame.map_err(|_| ApiError::BodyCut)?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + joined.len() + data.len() > limit {
            return Err(too_long());
        }
        if first.is_empty() && joined.is_empty() {
            first = data; // Most bodies come in one piece, which is then not copied.
        } else {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&data);
        }
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}

/// Reads what a refused caller still sends.
///
/// Most clients hear nothing until they have sent everything; a connection that is shut on
/// them meanwhile takes the answer with it. One that asked first sends nothing, and on
/// HTTP/2 the answer ends the stream alone.
pub async fn discard(app: &App, request: &mut Request) {
    let is_needless = request.body().is_end_stream()
        || request.version() == Version::HTTP_2
        || request.headers().contains_key(EXPECT)
        || request.body().size_hint().lower() > MOST_DISCARDED;
    if is_needless {
        return;
    }
    let body = request.body_mut();
    let reading = async {
        let mut left = MOST_DISCARDED;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len) as u64;
            let Some(rest) = left.checked_sub(length) else { return };
            left = rest;
        }
    };
    let _ = tokio::time::timeout(app.body_timeout, reading).await; // Then it is cut after all.
}
