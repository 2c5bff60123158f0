//! Putting under the primary what another key of the ring sealed, in its own place.
//!
//! An account's data key is wrapped anew; what it sealed stays as it is. A record's words
//! are sealed anew, because their key is derived from the ring's. A wrapping is a seal of
//! the primary's: it is counted as any other is ([`Vault::may_seal`]).

use super::sealed::{Sealed, seal};
use super::subkeys::Purpose;
use super::{Kid, OpenError, Place, Said, SealError, SealedCredential, Vault};

/// Why something stays under the key that it lies under.
#[derive(Debug, thiserror::Error)]
pub enum ResealError {
    /// It does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It can't be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// The key that a sealed value names; `None` when it is none. Nothing is proved by it.
pub fn sealed_kid(sealed: &str) -> Option<Kid> {
    let (kid, _) = sealed.strip_prefix("v1.")?.split_once('.')?;
    Kid::parse(kid)
}

/// The key that a MAC, an index or a canary names; `None` when it is none.
pub fn proof_kid(proof: &str) -> Option<Kid> {
    Kid::parse(proof.split_once('.')?.0)
}

impl Vault {
    /// Wraps an account's data key under the primary.
    ///
    /// # Errors
    /// [`ResealError`]; what is refused at this place stays refused.
    pub fn rewrap(&self, place: &Place<'_>, wrapped_key: &str) -> Result<String, ResealError> {
        let wrapped = Sealed::parse(wrapped_key)?;
        let keys = self.under(wrapped.kid)?;
        let mut aad = Vec::new();
        place.write(Purpose::WrapAccount.name(), &mut aad);
        let key = wrapped.open_key(&keys.wrap_account, &aad)?;
        Ok(seal(&self.primary.wrap_account, self.primary.kid.as_str(), &aad, &*key)?)
    }

    /// Whether a credential opens in its place; nobody gets to see it.
    pub fn opens(&self, place: &Place<'_>, sealed: &SealedCredential) -> bool {
        self.open_credential(place, sealed).is_ok()
    }

    /// Seals a record's words under the primary.
    ///
    /// # Errors
    /// [`ResealError`].
    pub fn reseal_words(
        &self,
        user: i64,
        record: &str,
        said: Said,
        sealed: &str,
    ) -> Result<String, ResealError> {
        let plain = self.open_words(user, record, said, sealed)?;
        Ok(self.seal_words(user, record, said, plain.expose_secret())?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Plain;
    use super::super::fixtures::{NEW, OLD, vault};
    use super::*;

    const PLACE: Place<'_> =
        Place { pool: 3, account: 7, platform: "glm", field: "credential", generation: 1 };

    fn both() -> Vault {
        vault(&format!("{NEW},{OLD}"))
    }

    #[test]
    fn a_credential_that_was_wrapped_anew_opens_without_the_old_key() {
        let plain = Plain::from(b"sk-canary".to_vec());
        let sealed = vault(OLD).seal_credential(&PLACE, &plain).unwrap();
        let wrapped_key = both().rewrap(&PLACE, &sealed.wrapped_key).unwrap();
        assert_eq!(sealed_kid(&wrapped_key), Kid::parse("new"));
        let anew = SealedCredential { wrapped_key: wrapped_key.into(), ..sealed.clone() };
        assert_eq!(
            vault(NEW).open_credential(&PLACE, &anew).unwrap().expose_secret(),
            b"sk-canary"
        );
        let gone = vault(OLD).open_credential(&PLACE, &anew).err();
        assert!(matches!(gone, Some(OpenError::UnknownKid { .. })));
    }

    // T-SPLICE: what lies in a wrong place is not brought into order by a rotation.
    #[test]
    fn t_splice_what_was_moved_is_not_wrapped_anew() {
        let plain = Plain::from(b"sk-canary".to_vec());
        let sealed = vault(OLD).seal_credential(&PLACE, &plain).unwrap();
        for place in [
            Place { pool: 4, ..PLACE },
            Place { account: 8, ..PLACE },
            Place { platform: "qwen", ..PLACE },
            Place { field: "issued_key", ..PLACE },
            Place { generation: 2, ..PLACE },
        ] {
            let refused = both().rewrap(&place, &sealed.wrapped_key);
            assert!(matches!(refused, Err(ResealError::Open(OpenError::Tampered { .. }))));
        }
        // Nor does the body pass for a wrapping.
        assert!(both().rewrap(&PLACE, &sealed.body).is_err());
        let gone = vault(NEW).rewrap(&PLACE, &sealed.wrapped_key);
        assert!(matches!(gone, Err(ResealError::Open(OpenError::UnknownKid { .. }))));
    }

    #[test]
    fn words_that_were_sealed_anew_open_in_their_record_without_the_old_key() {
        let sealed = vault(OLD).seal_words(1, "r1", Said::Request, b"hello").unwrap();
        let anew = both().reseal_words(1, "r1", Said::Request, &sealed).unwrap();
        let opened = vault(NEW).open_words(1, "r1", Said::Request, &anew).unwrap();
        assert_eq!(opened.expose_secret(), b"hello");
        assert!(vault(NEW).open_words(1, "r1", Said::Response, &anew).is_err());
        assert!(both().reseal_words(1, "r2", Said::Request, &sealed).is_err());
    }

    #[test]
    fn what_names_no_key_has_none() {
        for text in ["", "v1", "v1.", "v1.a", "v1..x", "v2.a.b", "v1.a b.c"] {
            assert_eq!(sealed_kid(text), None, "{text:?}");
        }
        assert_eq!(sealed_kid("v1.old.x"), Kid::parse("old"));
        assert_eq!(proof_kid("old.x"), Kid::parse("old"));
        assert_eq!((proof_kid("revoked"), proof_kid(".x")), (None, None));
    }
}
