//! The name of a key: short, public, written beside everything that the key made.

use std::fmt;

/// A key's name: 1 to 24 of `A-Z a-z 0-9 - _`.
///
/// Short enough that a 32-byte key in base64 is never taken for one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kid {
    text: [u8; Kid::MAX_LEN],
    len: u8,
}

impl Kid {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 24;

    /// Reads a name; `None` when it is empty, too long or has other characters.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::MAX_LEN).contains(&text.len());
        let clean = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !(fits && clean) {
            return None;
        }
        let mut kid = Self { text: [0; Self::MAX_LEN], len: 0 };
        for (slot, byte) in kid.text.iter_mut().zip(text.bytes()) {
            *slot = byte;
            kid.len += 1;
        }
        Some(kid)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..usize::from(self.len)]).expect("a kid is ASCII")
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kid_is_what_it_was_read_from() {
        for text in ["k", "prod-2026_11", "ABCDEFGHIJKLMNOPQRSTUVWX"] {
            assert_eq!(Kid::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_kid_that_would_break_the_format_is_refused() {
        for text in ["", "a.b", "a:b", "a b", "a,b", "é", "ABCDEFGHIJKLMNOPQRSTUVWXY"] {
            assert!(Kid::parse(text).is_none(), "{text:?}");
        }
    }
}
