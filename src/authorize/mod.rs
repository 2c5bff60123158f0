//! From a key that a person gives to what may be sent: binding accounts, opening and
//! checking their credentials, and the short-lived keys that platforms make of them.
//!
//! A credential is in clear while one request, or the making of one key, needs it. Where a
//! platform makes short-lived keys, one gateway of all makes the next, before the last one
//! ends, and it lies sealed with the account.
//!
//! A rotation puts what an old key of the ring sealed under its primary, while gateways serve.

mod bind;
mod check;
mod fetch;
mod key_use;
mod open;
mod owner;
mod relocate;
mod rotation;
mod seals;
mod short_keys;

pub use bind::{LONGEST_NAME, Ready, Target, Unbound, Wanted, is_name, key_help};
pub use check::{Checked, Finding, Verdict, check};
pub use fetch::{KeyError, fetch};
pub use key_use::{KeyUse, key_use};
pub use open::{CREDENTIAL_FIELD, Unopened, open};
pub use owner::{has_proved_owner, prove_owner};
pub use relocate::{Unmoved, relocate};
pub use rotation::{Rotated, rotate};
pub use seals::{NoSeal, count_seal};
pub use short_keys::{Asking, ShortKeys};
