//! Reading a request's body.

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{ApiError, App};

/// Reads a body to its end, within the limits.
pub(super) async fn read(app: &App, mut body: Incoming) -> Result<Bytes, ApiError> {
    let limit = app.max_body_bytes;
    let too_long = || ApiError::BodyTooLong { limit };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_long());
    }
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    loop {
        let next = tokio::time::timeout(app.body_timeout, body.frame()).await;
        let Some(frame) = next.map_err(|_| ApiError::BodyTooSlow)? else { break };
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
