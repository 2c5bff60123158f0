//! Envelope encryption and the key ring: pure, no store, no I/O.
//!
//! An operator's [`KeyRing`] becomes a [`Vault`] once, at start. The vault seals
//! credentials to their [`Place`], finds gateway tokens by a keyed index, and proves
//! that a row was written by someone who holds the ring.
//!
//! Promises:
//! - A credential is in clear only inside a [`Plain`], which can't be printed,
//!   serialized or copied, and is wiped when it is dropped.
//! - What is sealed opens in its place alone: another pool, account, platform, field
//!   or generation is refused, and so is any changed byte.
//! - No master key is used as it is: HKDF-SHA256 derives one key a purpose.
//! - No error of this room holds a secret, in either of its texts.
//!
//! | file | idea |
//! | --- | --- |
//! | `ring`, `kid` | the operator's keys and their names |
//! | `subkeys` | one derived key for each purpose |
//! | `place`, `sealed`, `credential` | where a secret lies, how it is written, sealing and opening |
//! | `sealed_text` | a sealed value in a store's row, read once |
//! | `reseal` | what an old key sealed, put under the primary |
//! | `words` | what a call said and was answered, sealed to its record |
//! | `mac`, `canary` | proofs over rows; the proof that a ring fits a store |
//! | `token`, `token_index` | what callers send, and what finds it |
//! | `secret` | what browsers and people hold: sessions, one-time links |
//! | `wear` | how often a key may seal |
//! | `plain`, `mask` | secrets in memory, and in other people's answers |
//!
//! Sources: NIST SP 800-38D (AES-GCM), RFC 5869 (HKDF), RFC 2104 (HMAC).

mod base62;
mod canary;
mod credential;
mod error;
#[cfg(test)]
mod fixtures;
mod kid;
mod mac;
mod mask;
mod place;
mod plain;
mod reseal;
mod ring;
mod sealed;
mod sealed_text;
mod secret;
mod subkeys;
mod token;
mod token_index;
#[cfg(test)]
mod vectors;
mod wear;
mod words;

use subkeys::Subkeys;

pub use credential::SealedCredential;
pub use error::{OpenError, RingError, SealError};
pub use kid::Kid;
pub use mac::{MacParts, MacPurpose};
pub use mask::mask;
pub use place::Place;
pub use plain::Plain;
pub use reseal::{ResealError, proof_kid, sealed_kid};
pub use ring::KeyRing;
pub use sealed_text::SealedText;
pub use secret::{Secret, SecretKind};
pub use token::GatewayToken;
pub use token_index::TokenIndex;
pub use wear::Worn;
pub use words::Said;

/// The keys that everything is sealed and proved with, derived from a [`KeyRing`].
///
/// The ring's first key is the primary: new seals, MACs and indexes are made with it.
/// The others open what was made before.
pub struct Vault {
    primary: Subkeys,
    others: Vec<Subkeys>,
}

impl Vault {
    /// Derives every key that is needed later, so that a request derives none.
    pub fn new(ring: &KeyRing) -> Self {
        let (primary, others) = ring.keys();
        Self { primary: Subkeys::derive(primary), others: others.map(Subkeys::derive).collect() }
    }

    /// The names of the keys, primary first.
    pub fn kids(&self) -> impl Iterator<Item = Kid> {
        self.keys().map(|keys| keys.kid)
    }

    fn keys(&self) -> impl Iterator<Item = &Subkeys> {
        std::iter::once(&self.primary).chain(&self.others)
    }

    fn under(&self, kid: Kid) -> Result<&Subkeys, OpenError> {
        self.keys().find(|keys| keys.kid == kid).ok_or(OpenError::UnknownKid { kid })
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Vault").field(&self.kids().collect::<Vec<_>>()).finish()
    }
}

static_assertions::assert_not_impl_any!(Vault: Clone, serde::Serialize);
