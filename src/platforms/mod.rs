//! Platforms: where accounts live, as data; how to speak to them, as dialects.
//!
//! A platform is an entry of the [`Catalogue`]; `gateway.toml` changes entries and
//! adds new ones. A dialect is code: one folder in `dialects/` for each wire
//! format, reached through [`Exchange`], which is one attempt's translation.
//! Nothing here does I/O or reads a clock.

pub mod catalogue;
pub mod credential;
mod dialects;
mod error;
mod exchange;
mod failure;
mod issuer;
mod limits;
mod price;
pub mod rules;
mod signing;
mod tokenizer;

pub use catalogue::{Catalogue, CatalogueError, Hop, Resolution};
pub use catalogue::{Face, Hangup, Model, Platform, Reach};
pub use credential::{
    Credential, CredentialError, CredentialSpec, Kind, Proof, Scheme, Secret, Secrets,
};
pub use dialects::DialectName;
pub use error::{ErrorClass, PlatformError, Reader, Refusal, Reset, Words};
pub use exchange::{Answer, Exchange, Fed, StreamEnd, UpstreamRequest};
pub use issuer::{Issued, Issuer, IssuerForm};
pub use limits::LimitsTold;
pub use price::Price;
pub use tokenizer::{Tokenizer, Vocabulary};

use failure::length;
pub(crate) use failure::of_answer as understand;
