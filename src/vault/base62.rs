//! Numbers in base 62 (`0-9 A-Z a-z`) at a fixed width: a token without punctuation,
//! which a double click selects whole.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Writes a big-endian number into all of `out`, zeros in front; uses `number` up.
/// What does not fit is lost: the widths are chosen so that everything does.
pub(super) fn encode(number: &mut [u8], out: &mut [u8]) {
    for digit in out.iter_mut().rev() {
        let mut rest = 0;
        for byte in number.iter_mut() {
            let value = rest << 8 | u32::from(*byte);
            *byte = (value / 62) as u8;
            rest = value % 62;
        }
        *digit = DIGITS[rest as usize];
    }
}

/// Whether all of it are digits.
pub(super) fn is_base62(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded<const N: usize, const W: usize>(mut number: [u8; N]) -> String {
        let mut out = [0; W];
        encode(&mut number, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn numbers_are_written_at_their_width() {
        assert_eq!(encoded::<1, 2>([0]), "00");
        assert_eq!(encoded::<1, 2>([61]), "0z");
        assert_eq!(encoded::<1, 2>([62]), "10");
        assert_eq!(encoded::<4, 6>([255; 4]), "4gfFC3");
        // 2^256 - 1, from Python's divmod.
        assert_eq!(encoded::<32, 43>([255; 32]), "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
    }
}
