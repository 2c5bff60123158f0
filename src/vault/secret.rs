//! Secrets that a browser or a person holds: a console session's, a one-time link's.
//!
//! 256 random bits in 43 digits of base 62. The store has a keyed hash of them alone, made
//! for each kind apart.

use std::fmt;

use hmac::Mac;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::subkeys::Subkeys;
use super::{MacParts, Vault, base62};

const LEN: usize = 43;

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// A console session.
    Session,
    /// A one-time link.
    Link,
    /// No secret of ours: a name that someone signs in with.
    Name,
}

impl SecretKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Session => "console_session",
            Self::Link => "one_time_link",
            Self::Name => "sign_in_name",
        }
    }
}

/// A secret of good form.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; LEN]);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut random = base62::random()?;
        let mut secret = Self([0; LEN]);
        base62::encode(&mut *random, &mut secret.0);
        Ok(secret)
    }

    /// Reads one; `None` when its form is not ours.
    pub fn parse(text: &str) -> Option<Self> {
        let secret = Self(text.as_bytes().try_into().ok()?);
        base62::is_base62(&secret.0).then_some(secret)
    }

    /// The secret itself: for whoever is to hold it.
    pub fn expose_secret(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a secret is ASCII")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

static_assertions::assert_not_impl_any!(Secret: fmt::Display, serde::Serialize, Clone);

impl Vault {
    /// The keyed hash that finds a secret, under the primary.
    pub fn secret_index(&self, kind: SecretKind, secret: &str) -> String {
        index(&self.primary, kind, secret)
    }

    /// The same under every key of the ring, primary first: a secret may be older than it.
    pub fn secret_indexes(&self, kind: SecretKind, secret: &str) -> Vec<String> {
        self.keys().map(|keys| index(keys, kind, secret)).collect()
    }
}

fn index(keys: &Subkeys, kind: SecretKind, secret: &str) -> String {
    let parts = MacParts::new(kind.name()).text(secret).into_bytes();
    let keyed = keys.token_index.clone().chain_update(parts);
    super::mac::named(keys.kid, keyed)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{NEW, OLD, vault};
    use super::*;

    #[test]
    fn a_secret_is_found_by_its_kinds_index_alone() {
        let secret = Secret::generate().unwrap();
        let text = secret.expose_secret();
        assert_eq!((text.len(), format!("{secret:?}").as_str()), (43, "Secret(***)"));
        assert_eq!(Secret::parse(text).unwrap().expose_secret(), text);
        for other in ["", &text[1..], &format!("{text}0"), &text.replace(&text[..1], "-")] {
            assert!(Secret::parse(other).is_none(), "{other}");
        }
        let index = vault(OLD).secret_index(SecretKind::Session, text);
        assert!(index.starts_with("old.") && !index.contains(text));
        assert_ne!(index, vault(OLD).secret_index(SecretKind::Link, text));
        let both = vault(&format!("{NEW},{OLD}"));
        let indexes = both.secret_indexes(SecretKind::Session, text);
        assert_eq!(indexes, [both.secret_index(SecretKind::Session, text), index]);
    }
}
