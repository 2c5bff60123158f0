//! From what is sealed to what may be sent: opening credentials, and the short-lived keys
//! that platforms make of them.
//!
//! A credential is in clear while one request, or the making of one key, needs it. Where a
//! platform makes short-lived keys, one gateway of all makes the next, before the last one
//! ends, and it lies sealed with the account.

mod fetch;
mod open;
mod short_keys;

pub use fetch::{KeyError, fetch};
pub use open::{CREDENTIAL_FIELD, Unopened, open};
pub use short_keys::{Asking, ShortKeys};
