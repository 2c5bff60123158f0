//! The client to platforms: pooled connections, WebSockets, TLS, address checks, deadlines.
//!
//! Nothing is followed, kept or added on the way: no redirects, no cookies, no
//! header that the caller sent.

mod body;
mod client;
mod connect;
mod failure;
mod kept;
mod one_write;
mod pool;
mod resolve;
mod settings;
mod websocket;

pub use body::Body;
pub use client::{Client, Reply};
pub use failure::{SendFailure, chain};
pub use kept::Lent;
pub use one_write::OneWrite;
pub use settings::Settings;

/// What we call ourselves.
pub const USER_AGENT: http::HeaderValue =
    http::HeaderValue::from_static(concat!("tributary/", env!("CARGO_PKG_VERSION")));
