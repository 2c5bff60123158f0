//! The simulator's own routes on every platform's origin, under `/_sim/`.
//!
//! | route | |
//! | --- | --- |
//! | `GET /_sim/ledger?last=N` | the books; the last N requests (all that are kept) |
//! | `GET /_sim/requests?last=N` | the last requests as they came, keys masked |
//! | `GET`, `POST`, `DELETE /_sim/keys` | short-lived keys: count; let them end soon; end all |
//! | `GET`, `POST`, `DELETE /_sim/faults` | how many wait; add one or a list; clear |

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Value, json};

use super::body::AnswerBody;
use super::faults::Manner;
use super::site::Site;

pub(super) const PREFIX: &str = "/_sim/";

pub(super) fn answer(site: &Site, head: &Parts, body: &Bytes) -> Response<AnswerBody> {
    let last = head.uri.query().and_then(last).unwrap_or(usize::MAX);
    let path = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    match (&head.method, path) {
        (&Method::GET, "ledger") => {
            say(StatusCode::OK, &site.ledger.show(site.wire.platform(), last))
        }
        (&Method::GET, "requests") => say(StatusCode::OK, &site.requests.show(last)),
        (&Method::GET, "faults") => say(StatusCode::OK, &json!({"faults": site.faults.len()})),
        (&Method::POST, "faults") => match site.faults.add(body) {
            Ok(waiting) => say(StatusCode::OK, &json!({"faults": waiting})),
            Err(words) => say(StatusCode::BAD_REQUEST, &json!({"error": words})),
        },
        (&Method::DELETE, "faults") => {
            site.faults.clear();
            say(StatusCode::OK, &json!({"faults": 0}))
        }
        (method, "keys") => match site.issued.operate(method, body) {
            Some(counts) => say(StatusCode::OK, &counts),
            None => say(StatusCode::BAD_REQUEST, &json!({"error": "GET, POST or DELETE"})),
        },
        _ => say(StatusCode::NOT_FOUND, &json!({"error": "ledger, requests, faults or keys"})),
    }
}

fn last(query: &str) -> Option<usize> {
    query.split('&').find_map(|pair| pair.strip_prefix("last="))?.parse().ok()
}

fn say(status: StatusCode, body: &Value) -> Response<AnswerBody> {
    let body = AnswerBody::whole(body.to_string(), None, Manner::default());
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
