//! Gateway tokens: what a caller sends as its API key.
//!
//! `tb_`, 32 random bytes in 43 digits of base 62, then a checksum in 6. The checksum
//! lets a typing error be told without asking the store, and a leaked token be
//! recognised by those who search public code.

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::base62;

const MARK: &[u8; 3] = b"tb_";
const SECRET: usize = 43;
const CHECKSUM: usize = 6;
const LEN: usize = MARK.len() + SECRET + CHECKSUM;

/// A gateway token of good form. It is shown once, when it is made; printing it shows
/// its beginning and end.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct GatewayToken([u8; LEN]);

impl GatewayToken {
    /// A new token of 256 random bits.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut random = base62::random()?;
        let mut token = Self([0; LEN]);
        let (mark, secret, _) = token.parts_mut();
        mark.copy_from_slice(MARK);
        base62::encode(&mut *random, secret);
        let checksum = token.checksum();
        token.parts_mut().2.copy_from_slice(&checksum);
        Ok(token)
    }

    /// Reads a token; `None` when its form or its checksum is not ours. Cheap: no
    /// allocation and one hash.
    pub fn parse(text: &str) -> Option<Self> {
        let token = Self(text.as_bytes().try_into().ok()?);
        let (body, checksum) = token.0.split_last_chunk::<CHECKSUM>()?;
        let digits = body.strip_prefix(MARK)?;
        (base62::is_base62(digits) && token.checksum() == *checksum).then_some(token)
    }

    /// The token itself: for its owner, once, and for callers of a gateway.
    pub fn expose_secret(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a token is ASCII")
    }

    /// Its first characters, for display.
    pub fn prefix(&self) -> &str {
        &self.expose_secret()[..MARK.len() + 4]
    }

    /// Its last four characters, for display: they are checksum, not secret.
    pub fn last_four(&self) -> &str {
        &self.expose_secret()[LEN - 4..]
    }

    fn checksum(&self) -> [u8; CHECKSUM] {
        let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(&self.0[..LEN - CHECKSUM]).into();
        let mut checksum = [0; CHECKSUM];
        base62::encode(&mut [u32::from_be_bytes([a, b, c, d])], &mut checksum);
        checksum
    }

    fn parts_mut(&mut self) -> (&mut [u8], &mut [u8], &mut [u8]) {
        let (mark, rest) = self.0.split_at_mut(MARK.len());
        let (secret, checksum) = rest.split_at_mut(SECRET);
        (mark, secret, checksum)
    }
}

impl fmt::Debug for GatewayToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GatewayToken({}***{})", self.prefix(), self.last_four())
    }
}

static_assertions::assert_not_impl_any!(GatewayToken: fmt::Display, serde::Serialize, Clone);

#[cfg(test)]
mod tests {
    use super::*;

    // From Python's hashlib and divmod, for a secret of 43 zeros.
    const ZEROS: &str = "tb_00000000000000000000000000000000000000000000VyLxK";

    #[test]
    fn a_token_has_the_form_that_is_promised() {
        let token = GatewayToken::generate().unwrap();
        let text = token.expose_secret();
        assert_eq!(text.len(), 52);
        assert!(text.starts_with("tb_") && base62::is_base62(&text.as_bytes()[3..]));
        assert_eq!(GatewayToken::parse(text).unwrap().expose_secret(), text);
        assert_ne!(GatewayToken::generate().unwrap().expose_secret(), text);
        assert!(GatewayToken::parse(ZEROS).is_some());
    }

    #[test]
    fn a_typing_error_is_noticed() {
        for at in 0..LEN {
            let mut text = ZEROS.to_owned();
            let other = if text.as_bytes()[at] == b'x' { "y" } else { "x" };
            text.replace_range(at..=at, other);
            assert!(GatewayToken::parse(&text).is_none(), "{text}");
        }
        for text in ["", "tb_", &ZEROS[1..], &format!("{ZEROS}0"), &"é".repeat(26)] {
            assert!(GatewayToken::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn printing_a_token_shows_its_ends_alone() {
        let token = GatewayToken::parse(ZEROS).unwrap();
        assert_eq!(token.prefix(), "tb_0000");
        assert_eq!(format!("{token:?}"), format!("GatewayToken(tb_0000***{})", &ZEROS[48..]));
    }
}
