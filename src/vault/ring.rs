//! The key ring: the operator's master keys, each under a name.
//!
//! Written as `name:base64`, entries apart by commas or newlines; the first is the
//! primary. A ring that would be weak or ambiguous is refused at start.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::sealed::DATA_KEY;
use super::{Kid, RingError};

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const ANY_STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const ANY_URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Master keys by name, the primary first. Printing it shows the names alone.
pub struct KeyRing {
    primary: MasterKey,
    others: Vec<MasterKey>,
}

/// One master key: never used itself, only what is derived from it.
pub(super) struct MasterKey {
    pub(super) kid: Kid,
    pub(super) key: Zeroizing<Vec<u8>>,
}

impl KeyRing {
    /// The fewest bytes that a key may have.
    pub const MIN_KEY_BYTES: usize = 32;

    /// Reads a ring: `name:base64`, entries apart by commas or newlines. Both base64
    /// alphabets are read, with padding or without.
    ///
    /// # Errors
    /// [`RingError`] names the first entry that can't be used, and never its key.
    pub fn parse(text: &str) -> Result<Self, RingError> {
        let entries = text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
        let mut keys: Vec<MasterKey> = Vec::new();
        for (at, entry) in entries.enumerate() {
            let new = MasterKey::parse(at + 1, entry)?;
            for old in &keys {
                new.differs_from(old)?;
            }
            keys.push(new);
        }
        let mut keys = keys.into_iter();
        let primary = keys.next().ok_or(RingError::Empty)?;
        Ok(Self { primary, others: keys.collect() })
    }

    /// A new entry, `name:base64` of 32 random bytes, as [`KeyRing::parse`] reads it.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn generate() -> Result<Zeroizing<String>, getrandom::Error> {
        let name = getrandom::u32()?;
        let mut key = Zeroizing::new([0u8; Self::MIN_KEY_BYTES]);
        getrandom::fill(&mut *key)?;
        let mut entry = Zeroizing::new(String::with_capacity(64));
        entry.push_str(&format!("k{name:08x}:"));
        STANDARD.encode_string(key.as_slice(), &mut entry);
        Ok(entry)
    }

    /// The names of the keys, primary first.
    pub fn kids(&self) -> impl Iterator<Item = Kid> {
        std::iter::once(&self.primary).chain(&self.others).map(|key| key.kid)
    }

    pub(super) fn keys(&self) -> (&MasterKey, impl Iterator<Item = &MasterKey>) {
        (&self.primary, self.others.iter())
    }
}

impl MasterKey {
    fn parse(entry: usize, text: &str) -> Result<Self, RingError> {
        // A name that does not parse is not shown: it may be a key whose name is missing.
        let (name, key) = text.split_once(':').ok_or(RingError::BadKid { entry })?;
        let kid = Kid::parse(name.trim())
            .filter(|kid| kid.as_str() != DATA_KEY)
            .ok_or(RingError::BadKid { entry })?;
        let key = decode(key.trim()).ok_or(RingError::NotBase64 { kid })?;
        if key.len() < KeyRing::MIN_KEY_BYTES {
            return Err(RingError::Short { kid, bytes: key.len() });
        }
        if key.iter().all(|byte| Some(byte) == key.first()) {
            return Err(RingError::Repeated { kid });
        }
        Ok(Self { kid, key })
    }

    fn differs_from(&self, old: &Self) -> Result<(), RingError> {
        if self.kid == old.kid {
            return Err(RingError::DuplicateKid { kid: self.kid });
        }
        if *self.key == *old.key {
            return Err(RingError::SameKey { kid: old.kid, other: self.kid });
        }
        Ok(())
    }
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let engine = if text.contains(['-', '_']) { &ANY_URL_SAFE } else { &ANY_STANDARD };
    // Decoded into room that is there: a growing Vec would leave copies of the key.
    let mut key = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
    let len = engine.decode_slice(text, &mut key).ok()?;
    key.truncate(len);
    Some(key)
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyRing").field(&self.kids().collect::<Vec<_>>()).finish()
    }
}

static_assertions::assert_not_impl_any!(KeyRing: fmt::Display, Clone, serde::Serialize);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const B: &str = "__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA";

    fn kid(name: &str) -> Kid {
        Kid::parse(name).unwrap()
    }

    #[test]
    fn a_ring_is_read_from_commas_or_lines_in_both_alphabets() {
        for text in [
            format!("new:{A},old:{B}"),
            format!("new:{A}\nold:{B}\n"),
            format!("\r\n new : {A} \r\n\r\nold:{B},\r\n"),
        ] {
            let ring = KeyRing::parse(&text).unwrap();
            assert_eq!(ring.kids().collect::<Vec<_>>(), [kid("new"), kid("old")]);
            assert_eq!(ring.primary.key[..4], [0, 1, 2, 3]);
            assert_eq!(ring.others[0].key[..4], [255, 254, 253, 252]);
        }
    }

    #[test]
    fn a_weak_or_ambiguous_ring_is_refused() {
        let zeros = STANDARD.encode([0; 32]);
        let short = STANDARD.encode([7; 31]);
        for (text, error) in [
            (String::new(), RingError::Empty),
            (" ,\n, ".to_owned(), RingError::Empty),
            (A.to_owned(), RingError::BadKid { entry: 1 }),
            (format!("a:{A},{B}"), RingError::BadKid { entry: 2 }),
            (format!("{A}:a"), RingError::BadKid { entry: 1 }),
            (format!("a.b:{A}"), RingError::BadKid { entry: 1 }),
            (format!("dek:{A}"), RingError::BadKid { entry: 1 }),
            ("a:not base64".to_owned(), RingError::NotBase64 { kid: kid("a") }),
            (format!("a:{short}"), RingError::Short { kid: kid("a"), bytes: 31 }),
            ("a:".to_owned(), RingError::Short { kid: kid("a"), bytes: 0 }),
            (format!("a:{zeros}"), RingError::Repeated { kid: kid("a") }),
            (format!("a:{A},a:{B}"), RingError::DuplicateKid { kid: kid("a") }),
            (format!("a:{A},b:{A}"), RingError::SameKey { kid: kid("a"), other: kid("b") }),
        ] {
            assert_eq!(KeyRing::parse(&text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn a_generated_entry_makes_a_ring_and_no_two_are_alike() {
        let (one, two) = (KeyRing::generate().unwrap(), KeyRing::generate().unwrap());
        let ring = KeyRing::parse(&format!("{}\n{}", *one, *two)).unwrap();
        assert_eq!(ring.kids().count(), 2);
    }

    #[test]
    fn printing_a_ring_shows_names_alone() {
        let ring = KeyRing::parse(&format!("new:{A},old:{B}")).unwrap();
        assert_eq!(format!("{ring:?}"), "KeyRing([new, old])");
    }

    proptest! {
        #[test]
        fn no_error_holds_a_piece_of_a_key(
            key in "[A-Za-z0-9+/]{25,60}",
            before in "[a-z.:, =]{0,6}",
            after in "[a-z.:, =]{0,6}",
        ) {
            if let Err(error) = KeyRing::parse(&format!("{before}{key}{after}")) {
                let texts = format!("{error} {error:?}");
                for piece in key.as_bytes().windows(8) {
                    let piece = std::str::from_utf8(piece).unwrap();
                    prop_assert!(!texts.contains(piece), "{texts}");
                }
            }
        }
    }
}
