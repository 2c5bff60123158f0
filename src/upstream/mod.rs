//! The client to platforms: pooled connections, TLS, address checks, deadlines.
//!
//! Nothing is followed, kept or added on the way: no redirects, no cookies, no
//! header that the caller sent.

mod client;
mod connect;
mod failure;
mod resolve;
mod settings;

pub use client::{Client, Reply};
pub use failure::SendFailure;
pub use settings::Settings;

/// What we call ourselves.
pub const USER_AGENT: http::HeaderValue =
    http::HeaderValue::from_static(concat!("tributary/", env!("CARGO_PKG_VERSION")));
