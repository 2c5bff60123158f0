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
    format!("req_{:016x}{:08x}", process(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

fn process() -> u64 {
    static PROCESS: OnceLock<u64> = OnceLock::new();
    *PROCESS.get_or_init(|| getrandom::u64().expect("the system has random bytes"))
}
