//! Two keys for this room's tests.

use super::{KeyRing, Vault};

pub(super) const OLD: &str = "old:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub(super) const NEW: &str = "new:__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA";

/// A vault over a ring as text.
pub(super) fn vault(ring: &str) -> Vault {
    Vault::new(&KeyRing::parse(ring).unwrap())
}
