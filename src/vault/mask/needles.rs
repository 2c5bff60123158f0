//! The forms in which a secret is searched: itself, and inside base64.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// A form of a secret.
pub(super) struct Needle {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    in_base64: bool,
}

impl Needle {
    /// The range to mask when the needle was found: in base64 the characters beside it
    /// hold bits of the secret too, and padding goes with them.
    pub(super) fn whole(&self, text: &[u8], at: usize) -> Range<usize> {
        let mut range = at..at + self.bytes.len();
        if self.in_base64 {
            let is_digit = |b: &u8| b.is_ascii_alphanumeric() || b"+/-_".contains(b);
            range.start -= usize::from(text[..range.start].last().is_some_and(is_digit));
            range.end += usize::from(text.get(range.end).is_some_and(is_digit));
            range.end += text[range.end..].iter().take_while(|b| **b == b'=').count();
        }
        range
    }
}

/// The secret itself, and the base64 digits that it alone decides, at each of the three
/// offsets that a longer encoded text may put it at.
pub(super) fn needles(secret: &str) -> impl Iterator<Item = Needle> {
    let raw = Needle { bytes: Zeroizing::new(secret.as_bytes().to_vec()), in_base64: false };
    let encoded = (0..3).flat_map(move |offset| {
        let mut bytes = Zeroizing::new(Vec::with_capacity(offset + secret.len()));
        bytes.resize(offset, 0);
        bytes.extend_from_slice(secret.as_bytes());
        let own = (offset * 8).div_ceil(6)..bytes.len() * 8 / 6;
        let digits = |engine: &dyn Fn(&[u8]) -> String| {
            let all = Zeroizing::new(engine(&bytes));
            Zeroizing::new(all.as_bytes()[own.clone()].to_vec())
        };
        let standard = digits(&|bytes| STANDARD_NO_PAD.encode(bytes));
        let url_safe = digits(&|bytes| URL_SAFE_NO_PAD.encode(bytes));
        let other = (url_safe != standard).then_some(url_safe);
        std::iter::once(standard).chain(other)
    });
    let encoded = encoded.map(|bytes| Needle { bytes, in_base64: true });
    std::iter::once(raw).chain(encoded)
}
