//! Ids that no other gateway makes: 64 random bits of this process, then a counter.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::accounts::LeaseId;

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A new lease's id.
pub(super) fn lease_id() -> LeaseId {
    LeaseId((u128::from(process()) << 64) | u128::from(COUNTER.fetch_add(1, Ordering::Relaxed)))
}

/// A new request's id, as in `x-request-id`.
pub fn request_id() -> String {
    static MARK: OnceLock<String> = OnceLock::new();
    let mark = MARK.get_or_init(|| format!("req_{:016x}", process()));
    [mark, &*hex(COUNTER.fetch_add(1, Ordering::Relaxed))].concat()
}

/// As `{:08x}` writes it, at a tenth of the cost.
fn hex(number: u64) -> String {
    let digits = (16 - number.leading_zeros() / 4).max(8);
    let digit = |place| b"0123456789abcdef"[(number >> (4 * place) & 0xf) as usize];
    (0..digits).rev().map(|place| char::from(digit(place))).collect()
}

fn process() -> u64 {
    static PROCESS: OnceLock<u64> = OnceLock::new();
    *PROCESS.get_or_init(|| getrandom::u64().expect("the system has random bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_process_and_a_number_in_hex() {
        let (one, other) = (request_id(), request_id());
        assert!(one.starts_with(&format!("req_{:016x}", process())), "{one}");
        let number = |id: &str| u64::from_str_radix(&id[20..], 16).unwrap();
        assert!(number(&one) < number(&other), "{one} {other}");
        assert_eq!(one.len(), 28);
        assert_eq!(hex(0xfab), "00000fab");
        assert_eq!(hex(u64::MAX), format!("{:08x}", u64::MAX));
        assert_eq!(hex(0x1_2345_6789), "123456789");
    }
}
