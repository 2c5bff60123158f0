//! For which host a request is.

use http::header::HOST;
use url::Url;

use super::{App, Request};

/// The host that a request names, with its port where it names one.
pub(super) fn host(request: &Request) -> Option<&str> {
    let authority = request.uri().authority().map(|authority| authority.as_str());
    authority.or_else(|| request.headers().get(HOST)?.to_str().ok())
}

/// Whether a request is for the host of the public URL, where that is set: a page that got its
/// own name to lead here (DNS rebinding) is answered nothing.
pub fn is_for_us(app: &App, request: &Request) -> bool {
    let Some(own) = &app.public_url else { return true };
    let asked =
        host(request).and_then(|host| Url::parse(&format!("{}://{host}", own.scheme())).ok());
    asked.is_some_and(|asked| asked.origin() == own.origin() && asked.path() == "/")
}
