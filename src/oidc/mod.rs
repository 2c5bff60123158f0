//! Signing in at an OpenID provider: the authorization code with PKCE, bound to the browser
//! that began it (OpenID Connect Core 1.0, RFC 7636, RFC 9207, RFC 9700).
//!
//! Promises:
//! - Only the browser that began a sign-in can end it, and within ten minutes.
//! - A person is known by issuer and subject, never by name or e-mail address.
//! - Tokens of the provider are used for this one answer and kept nowhere.
//!
//! | file | idea |
//! | --- | --- |
//! | `settings` | `[oidc]` |
//! | `journey` | what a browser keeps while its person is at the provider |
//! | `http` | our client, as the library wants it |
//! | `provider` | the provider: leading a person there, and who came back |
//! | `failure` | why nobody did |

mod failure;
mod http;
mod journey;
mod provider;
mod settings;

pub use failure::Failure;
pub use journey::{JOURNEY_LIFE, Journey, Purpose};
pub use provider::{Person, Provider, Returned};
pub use settings::{Registration, Settings};
