//! Sealing an account's credential, and opening it for one request.
//!
//! An envelope: a random data key, fresh at every seal, seals the credential; the
//! ring's primary wraps the data key. A rotation re-wraps the data key alone, and
//! deleting it erases the credential.
//!
//! A wrapping key may seal only so often: whoever calls [`Vault::seal_credential`] has the
//! store count it first, and asks [`Vault::may_seal`]. A data key seals once.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::sealed::{DATA_KEY, seal};
use super::subkeys::{Purpose, cipher};
use super::{OpenError, Place, Plain, SealError, SealedText, Vault};

/// What the data key seals. Differs from the wrapping's purpose, so that neither part
/// of the envelope passes for the other.
const DATA_ACCOUNT: &str = "data/account";

/// A sealed credential as it lies in a store: nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedCredential {
    /// The account's data key, wrapped under the ring's primary.
    pub wrapped_key: SealedText,
    /// The credential, sealed under the data key.
    pub body: SealedText,
}

impl Vault {
    /// Seals a credential to its place.
    ///
    /// # Errors
    /// [`SealError`], when the system gives no random bytes or the credential is absurdly long.
    pub fn seal_credential(
        &self,
        place: &Place<'_>,
        plain: &Plain,
    ) -> Result<SealedCredential, SealError> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key)?;
        let mut aad = Vec::new();
        place.write(Purpose::WrapAccount.name(), &mut aad);
        let wrapped_key = seal(&self.primary.wrap_account, self.primary.kid.as_str(), &aad, &*key)?;
        place.write(DATA_ACCOUNT, &mut aad);
        let body = seal(&cipher(&key), DATA_KEY, &aad, plain.expose_secret())?;
        Ok(SealedCredential { wrapped_key: wrapped_key.into(), body: body.into() })
    }

    /// Opens a credential in its place. Cheap enough for every request (a few
    /// microseconds for 4 KiB), so that no plaintext is ever cached.
    ///
    /// # Errors
    /// [`OpenError::Malformed`] when it is no sealed credential, whatever key it names;
    /// [`OpenError::UnknownKid`] when the wrapping key is not in the ring: the account is
    /// `locked`; [`OpenError::Tampered`] when anything was changed or moved.
    pub fn open_credential(
        &self,
        place: &Place<'_>,
        sealed: &SealedCredential,
    ) -> Result<Plain, OpenError> {
        let wrapped = sealed.wrapped_key.read()?;
        let body = sealed.body.read()?;
        if body.kid.as_str() != DATA_KEY {
            return Err(OpenError::Malformed);
        }
        let ring = self.under(wrapped.kid)?;
        let mut aad = Vec::new();
        place.write(Purpose::WrapAccount.name(), &mut aad);
        let key = wrapped.open_key(&ring.wrap_account, &aad)?;
        place.write(DATA_ACCOUNT, &mut aad);
        body.open(&cipher(&key), &aad).map(Plain::from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{NEW, OLD, vault};
    use super::*;

    const SECRET: &str = "sk-canary-0123456789";

    fn plain(text: &str) -> Plain {
        Plain::from(text.as_bytes().to_vec())
    }

    const PLACE: Place<'_> =
        Place { pool: 3, account: 7, platform: "glm", field: "credential", generation: 1 };

    fn error(opened: Result<Plain, OpenError>) -> OpenError {
        opened.err().expect("must not open")
    }

    #[test]
    fn a_credential_opens_in_its_place() {
        let vault = vault(OLD);
        for secret in ["", "k", SECRET, &"x".repeat(70_000)] {
            let sealed = vault.seal_credential(&PLACE, &plain(secret)).unwrap();
            let opened = vault.open_credential(&PLACE, &sealed).unwrap();
            assert_eq!(opened.expose_secret(), secret.as_bytes());
        }
    }

    #[test]
    fn no_two_seals_are_alike_and_none_shows_the_secret() {
        let vault = vault(OLD);
        let one = vault.seal_credential(&PLACE, &plain(SECRET)).unwrap();
        let two = vault.seal_credential(&PLACE, &plain(SECRET)).unwrap();
        assert!(one.wrapped_key != two.wrapped_key && one.body != two.body);
        assert!(one.wrapped_key.starts_with("v1.old.") && one.body.starts_with("v1.dek."));
        assert!(!format!("{one:?}").contains(SECRET));
    }

    #[test]
    fn a_new_primary_still_opens_what_the_old_one_sealed() {
        let sealed = vault(OLD).seal_credential(&PLACE, &plain(SECRET)).unwrap();
        let both = vault(&format!("{NEW},{OLD}"));
        assert_eq!(
            both.open_credential(&PLACE, &sealed).unwrap().expose_secret(),
            SECRET.as_bytes()
        );
        let fresh = both.seal_credential(&PLACE, &plain(SECRET)).unwrap();
        assert!(fresh.wrapped_key.starts_with("v1.new."));
    }

    #[test]
    fn a_key_that_left_the_ring_is_named() {
        let sealed = vault(OLD).seal_credential(&PLACE, &plain(SECRET)).unwrap();
        let gone = error(vault(NEW).open_credential(&PLACE, &sealed));
        assert!(matches!(gone, OpenError::UnknownKid { kid } if kid.as_str() == "old"));
    }

    #[test]
    fn another_key_of_the_same_name_opens_nothing() {
        let sealed = vault(OLD).seal_credential(&PLACE, &plain(SECRET)).unwrap();
        let impostor = vault(&NEW.replace("new:", "old:"));
        let refused = error(impostor.open_credential(&PLACE, &sealed));
        assert!(matches!(refused, OpenError::Tampered { .. }));
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let vault = vault(&format!("{OLD},{NEW}"));
        let sealed = vault.seal_credential(&PLACE, &plain(SECRET)).unwrap();
        let changed = |text: &str, at: usize, to: char| {
            let mut text = text.to_owned();
            text.replace_range(at..=at, to.encode_utf8(&mut [0; 4]));
            text
        };
        for to in ['A', 'z', '0', '_', '.', '!'] {
            for at in (0..sealed.wrapped_key.len())
                .filter(|at| sealed.wrapped_key.as_bytes()[*at] != to as u8)
            {
                let wrapped_key = changed(&sealed.wrapped_key, at, to).into();
                let body = sealed.body.clone();
                error(vault.open_credential(&PLACE, &SealedCredential { wrapped_key, body }));
            }
            for at in (0..sealed.body.len()).filter(|at| sealed.body.as_bytes()[*at] != to as u8) {
                let wrapped_key = sealed.wrapped_key.clone();
                let body = changed(&sealed.body, at, to).into();
                error(vault.open_credential(&PLACE, &SealedCredential { wrapped_key, body }));
            }
        }
    }

    #[test]
    fn the_halves_of_two_envelopes_do_not_mix() {
        let vault = vault(OLD);
        let one = vault.seal_credential(&PLACE, &plain(SECRET)).unwrap();
        let two = vault.seal_credential(&PLACE, &plain(SECRET)).unwrap();
        for (wrapped_key, body) in [
            (&one.wrapped_key, &two.body),
            (&one.body, &one.wrapped_key),
            (&one.wrapped_key, &one.wrapped_key),
            (&one.body, &one.body),
        ] {
            let mixed = SealedCredential { wrapped_key: wrapped_key.clone(), body: body.clone() };
            error(vault.open_credential(&PLACE, &mixed));
        }
    }

    /// A place made of owned parts, small enough that two of them often share some.
    fn places() -> impl Strategy<Value = (i64, i64, String, String, u64)> {
        (-2..3i64, -2..3i64, "[a-c]{0,3}", "[a-c]{0,3}", 0..4u64)
    }

    proptest! {
        // T-SPLICE: whatever differs between two places, the seal of one is refused at
        // the other. Every pair of parts is swapped besides.
        #[test]
        fn t_splice_a_seal_opens_at_its_own_place_alone(
            (pool, account, platform, field, generation) in places(),
            other in places(),
        ) {
            let vault = vault(OLD);
            let here =
                Place { pool, account, platform: &platform, field: &field, generation };
            let sealed = vault.seal_credential(&here, &plain(SECRET)).unwrap();
            prop_assert!(vault.open_credential(&here, &sealed).is_ok());
            let there = Place {
                pool: other.0,
                account: other.1,
                platform: &other.2,
                field: &other.3,
                generation: other.4,
            };
            for place in [
                there,
                Place { pool: there.pool, ..here },
                Place { account: there.account, ..here },
                Place { platform: there.platform, ..here },
                Place { field: there.field, ..here },
                Place { generation: there.generation, ..here },
                Place { pool: account, account: pool, ..here },
                Place { pool: generation as i64, generation: pool as u64, ..here },
                Place { account: generation as i64, generation: account as u64, ..here },
                Place { platform: &field, field: &platform, ..here },
            ].into_iter().filter(|place| *place != here) {
                let refused = vault.open_credential(&place, &sealed).err();
                prop_assert!(matches!(refused, Some(OpenError::Tampered { .. })), "{place:?}");
            }
        }

        #[test]
        fn what_others_write_never_opens_and_no_error_repeats_it(
            wrapped_key in "(v1\\.)?[ -~]{0,80}",
            body in "(v1\\.dek\\.)?[ -~]{30,80}",
        ) {
            let sealed = SealedCredential { wrapped_key: wrapped_key.into(), body: body.into() };
            let refused = error(vault(OLD).open_credential(&PLACE, &sealed));
            let texts = format!("{refused} {refused:?}");
            for piece in sealed.body.as_bytes()[7..].windows(8) {
                prop_assert!(!texts.contains(std::str::from_utf8(piece).unwrap()), "{texts}");
            }
        }
    }
}
