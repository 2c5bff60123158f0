//! The HTTP surface, one file a resource. `error.rs` alone turns errors into answers.

mod answer;
mod app;
mod authenticate;
mod body;
mod chat;
mod errands;
mod error;
mod models;
mod operator;

pub use answer::Body;
pub use app::{App, Health};
pub use body::discard;
pub use chat::{chat_completions, oauth_chat_completions};
pub use errands::{Errands, run_errand};
pub use error::ApiError;
pub use models::{list_models, show_model};
pub use operator::{healthz, metrics, readyz};

/// A request as the server hands it on.
pub type Request = http::Request<hyper::body::Incoming>;
/// An answer.
pub type Response = http::Response<Body>;
