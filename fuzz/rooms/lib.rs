//! The rooms that the laws are about, and those below them: what is above needs a server, a
//! store and TLS, which take longer to build than a run lasts.

#![allow(unused_imports, reason = "rooms above import it")]

#[path = "../../src/accounts/mod.rs"]
pub mod accounts;
#[path = "../../src/front/mod.rs"]
pub mod front;
#[path = "../../src/platforms/mod.rs"]
pub mod platforms;
#[path = "../../src/vault/mod.rs"]
pub mod vault;
