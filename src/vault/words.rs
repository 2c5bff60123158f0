//! Sealing what a call said and what it was answered, where its token keeps that.
//!
//! Each record has a key of its own, derived from the ring's key by the record's id, so
//! that no key seals more than twice (a rotation that is begun again: some times more) and none
//! has to be counted.

use aes_gcm::Aes256Gcm;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::sealed::{Sealed, seal};
use super::subkeys::{Subkeys, cipher};
use super::{MacParts, OpenError, Plain, SealError, Vault};

/// Which of a call's words are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// What the caller sent.
    Request,
    /// What it was answered.
    Response,
}

impl Vault {
    /// Seals a call's words to their record.
    ///
    /// # Errors
    /// [`SealError`], when the system gives no random bytes.
    pub fn seal_words(
        &self,
        user: i64,
        record: &str,
        said: Said,
        words: &[u8],
    ) -> Result<String, SealError> {
        let keys = &self.primary;
        seal(&key(keys, record), keys.kid.as_str(), &place(user, record, said), words)
    }

    /// Opens a call's words in their record.
    ///
    /// # Errors
    /// [`OpenError::UnknownKid`] once their key has left the ring. [`OpenError::Tampered`] and
    /// [`OpenError::Malformed`] as for a credential.
    pub fn open_words(
        &self,
        user: i64,
        record: &str,
        said: Said,
        sealed: &str,
    ) -> Result<Plain, OpenError> {
        let sealed = Sealed::parse(sealed)?;
        let keys = self.under(sealed.kid)?;
        sealed.open(&key(keys, record), &place(user, record, said)).map(Plain::from)
    }
}

fn key(keys: &Subkeys, record: &str) -> Aes256Gcm {
    let mut own = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(record.as_bytes()), &*keys.record)
        .expand(b"tb1/data/record", &mut *own)
        .expect("32 bytes are fewer than HKDF's limit");
    cipher(&own)
}

fn place(user: i64, record: &str, said: Said) -> Vec<u8> {
    let field = match said {
        Said::Request => "request",
        Said::Response => "response",
    };
    MacParts::new("data/record").number(user).text(record).text(field).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{NEW, OLD, vault};
    use super::*;

    const WORDS: &[u8] = "{\"messages\":[\"canary-你好\"]}".as_bytes();

    #[test]
    fn words_open_in_their_own_record_alone() {
        let vault = vault(OLD);
        let sealed = vault.seal_words(1, "r1", Said::Request, WORDS).unwrap();
        assert!(!sealed.contains("canary"));
        let opened = vault.open_words(1, "r1", Said::Request, &sealed).unwrap();
        assert_eq!(opened.expose_secret(), WORDS);
        for (user, record, said) in
            [(2, "r1", Said::Request), (1, "r2", Said::Request), (1, "r1", Said::Response)]
        {
            let refused = vault.open_words(user, record, said, &sealed).err();
            assert!(matches!(refused, Some(OpenError::Tampered { .. })), "{user} {record}");
        }
    }

    #[test]
    fn words_under_a_key_that_left_are_told_from_broken_ones() {
        let sealed = vault(OLD).seal_words(1, "r", Said::Response, WORDS).unwrap();
        let both = vault(&format!("{NEW},{OLD}"));
        assert!(both.open_words(1, "r", Said::Response, &sealed).is_ok());
        let gone = vault(NEW).open_words(1, "r", Said::Response, &sealed).err();
        assert!(matches!(gone, Some(OpenError::UnknownKid { kid }) if kid.as_str() == "old"));
    }
}
