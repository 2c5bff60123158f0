//! `/healthz`, `/readyz` and `/metrics` on the operator's listener.

use http::StatusCode;
use http::header::HeaderValue;

use super::answer::whole;
use super::{App, Response};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// The process lives.
pub fn healthz() -> Response {
    whole(StatusCode::OK, TEXT, "ok\n")
}

/// Callers can be served: not draining, and the store answers.
pub async fn readyz(app: &App) -> Response {
    if app.health.is_draining() {
        return whole(StatusCode::SERVICE_UNAVAILABLE, TEXT, "draining\n");
    }
    match app.gateway.parts.store.ping().await {
        Ok(()) => whole(StatusCode::OK, TEXT, "ready\n"),
        Err(_) => whole(StatusCode::SERVICE_UNAVAILABLE, TEXT, "the store does not answer\n"),
    }
}

/// What Prometheus scrapes.
pub fn metrics(app: &App) -> Response {
    let (text, kind) = app.gateway.parts.metrics.exposition();
    whole(StatusCode::OK, HeaderValue::from_static(kind), text)
}
