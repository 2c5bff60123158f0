//! Numbers in base 62 (`0-9 A-Z a-z`) at a fixed width: a token without punctuation,
//! which a double click selects whole.

use zeroize::Zeroizing;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Writes a number, whose highest part comes first, into all of `out`, zeros in front; uses
/// `number` up. What does not fit is lost: the widths are chosen so that everything does.
pub(super) fn encode(number: &mut [u32], out: &mut [u8]) {
    for digit in out.iter_mut().rev() {
        let mut rest = 0;
        for part in number.iter_mut() {
            let value = rest << 32 | u64::from(*part);
            *part = (value / 62) as u32;
            rest = value % 62;
        }
        *digit = DIGITS[rest as usize];
    }
}

/// A number of 256 random bits.
pub(super) fn random() -> Result<Zeroizing<[u32; 8]>, getrandom::Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)?;
    let mut number = Zeroizing::new([0; 8]);
    for (part, bytes) in number.iter_mut().zip(bytes.as_chunks().0) {
        *part = u32::from_be_bytes(*bytes);
    }
    Ok(number)
}

/// Whether all of it are digits.
pub(super) fn is_base62(text: &[u8]) -> bool {
    // Every byte is looked at: that goes by many at once.
    text.iter().fold(true, |all, byte| all & byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded<const N: usize, const W: usize>(mut number: [u32; N]) -> String {
        let mut out = [0; W];
        encode(&mut number, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn numbers_are_written_at_their_width() {
        assert_eq!(encoded::<1, 2>([0]), "00");
        assert_eq!(encoded::<1, 2>([61]), "0z");
        assert_eq!(encoded::<1, 2>([62]), "10");
        assert_eq!(encoded::<1, 6>([u32::MAX]), "4gfFC3");
        // 2^256 - 1, from Python's divmod.
        assert_eq!(encoded::<8, 43>([u32::MAX; 8]), "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
    }
}
