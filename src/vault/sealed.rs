//! How a sealed value is written: `v1.<kid>.<nonce>.<ciphertext and tag>`, the last
//! two in unpadded base64url.
//!
//! AES-256-GCM with a random 96-bit nonce for each seal. The kid names the key: one of
//! the ring's, or [`DATA_KEY`] for what an account's own data key sealed.

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut, Aes256Gcm};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{Kid, OpenError, SealError};

/// The kid of a value that its account's data key sealed. No key of a ring has it.
pub(super) const DATA_KEY: &str = "dek";

const VERSION: &str = "v1";
const NONCE: usize = 12;
const TAG: usize = 16;

/// Seals `plain` and writes it.
pub(super) fn seal(
    cipher: &Aes256Gcm,
    kid: &str,
    aad: &[u8],
    plain: &[u8],
) -> Result<String, SealError> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce)?;
    // Wiped in case the cipher refuses: it holds the secret until then.
    let mut buffer = Zeroizing::new(Vec::with_capacity(plain.len() + TAG));
    buffer.extend_from_slice(plain);
    let tag = cipher
        .encrypt_inout_detached(&nonce.into(), aad, buffer.as_mut_slice().into())
        .map_err(|_| SealError::TooLong { bytes: plain.len() })?;
    buffer.extend_from_slice(&tag);

    let mut text = String::with_capacity(kid.len() + 24 + buffer.len().div_ceil(3) * 4);
    text.push_str(VERSION);
    text.push('.');
    text.push_str(kid);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(nonce, &mut text);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(&*buffer, &mut text);
    Ok(text)
}

/// A sealed value, read but not opened.
pub(super) struct Sealed {
    /// The key that sealed it.
    pub(super) kid: Kid,
    nonce: [u8; NONCE],
    ciphertext: Vec<u8>,
    tag: [u8; TAG],
}

impl Sealed {
    /// Reads a sealed value.
    pub(super) fn parse(text: &str) -> Result<Self, OpenError> {
        let (version, rest) = part(text)?;
        if version != VERSION {
            return Err(OpenError::Malformed);
        }
        let (kid, rest) = part(rest)?;
        let kid = Kid::parse(kid).ok_or(OpenError::Malformed)?;
        let (text, rest) = part(rest)?;
        let nonce = decoded(text)?.try_into().map_err(|_| OpenError::Malformed)?;
        let mut ciphertext = decoded(rest)?;
        let (body, tag) = ciphertext.split_last_chunk().ok_or(OpenError::Malformed)?;
        let (len, tag) = (body.len(), *tag);
        ciphertext.truncate(len);
        Ok(Self { kid, nonce, ciphertext, tag })
    }

    /// Opens it into one allocation of just its size.
    pub(super) fn open(
        &self,
        cipher: &Aes256Gcm,
        aad: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let mut plain = Zeroizing::new(vec![0; self.ciphertext.len()]);
        self.open_into(cipher, aad, &mut plain)?;
        Ok(plain)
    }

    /// Opens a wrapped data key, without an allocation.
    pub(super) fn open_key(
        &self,
        cipher: &Aes256Gcm,
        aad: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, OpenError> {
        let mut key = Zeroizing::new([0; 32]);
        self.open_into(cipher, aad, &mut *key)?;
        Ok(key)
    }

    fn open_into(&self, cipher: &Aes256Gcm, aad: &[u8], out: &mut [u8]) -> Result<(), OpenError> {
        let buffers = InOutBuf::new(&self.ciphertext, out).map_err(|_| OpenError::Malformed)?;
        cipher
            .decrypt_inout_detached(&self.nonce.into(), aad, buffers, &self.tag.into())
            .map_err(|_| OpenError::Tampered { kid: self.kid })
    }
}

/// What stands before the first dot, and after it.
fn part(text: &str) -> Result<(&str, &str), OpenError> {
    text.split_once('.').ok_or(OpenError::Malformed)
}

fn decoded(text: &str) -> Result<Vec<u8>, OpenError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| OpenError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::super::subkeys::cipher;
    use super::*;

    #[test]
    fn what_others_write_is_malformed_and_never_a_panic() {
        let nonce = "AAAAAAAAAAAAAAAA";
        for text in [
            String::new(),
            "v1".to_owned(),
            "v1.a".to_owned(),
            format!("v1.a.{nonce}"),
            format!("v2.a.{nonce}.AAAA"),
            format!("v1.a b.{nonce}.AAAA"),
            format!("v1..{nonce}.AAAA"),
            "v1.a.AAAA.AAAA".to_owned(),
            format!("v1.a.{nonce}AAAA.AAAA"),
            format!("v1.a.{nonce}."),
            format!("v1.a.{nonce}.AAAA"),
            format!("v1.a.{nonce}.AAAA.AAAA"),
            format!("v1.a.{nonce}.not base64!"),
        ] {
            let opened = Sealed::parse(&text).and_then(|s| s.open(&cipher(&[1; 32]), b""));
            assert_eq!(opened.unwrap_err(), OpenError::Malformed, "{text:?}");
        }
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    }

    // NIST's GCM test case 16 (AES-256, 96-bit IV, associated data).
    #[test]
    fn the_cipher_is_aes_256_gcm() {
        let key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let nonce = hex("cafebabefacedbaddecaf888");
        let aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let sealed = hex(concat!(
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa",
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b"
        ));
        let text =
            format!("v1.a.{}.{}", URL_SAFE_NO_PAD.encode(nonce), URL_SAFE_NO_PAD.encode(sealed));
        let plain = Sealed::parse(&text)
            .and_then(|s| s.open(&cipher(&key.try_into().unwrap()), &aad))
            .unwrap();
        let expected = hex(concat!(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72",
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        ));
        assert_eq!(*plain, expected);
    }
}
