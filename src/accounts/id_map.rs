//! Maps by id, with a hash for ids.
//!
//! Account ids are counted by the store and lease ids are a process' own, so nobody can make
//! them collide; a multiplication spreads them well enough, at a tenth of the cost of
//! the hash that guards maps of foreign keys.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by account or lease.
pub type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// Hashes one integer.
#[derive(Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        // An odd constant near 2^64 / phi; the fold brings the high bits down.
        let wide = u128::from(self.0 ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let [low, high] = [wide as u64, (wide >> 64) as u64];
        self.0 = low ^ high;
    }

    fn write_i64(&mut self, id: i64) {
        self.write_u64(id.cast_unsigned());
    }

    fn write_u128(&mut self, id: u128) {
        self.write_u64(id as u64 ^ (id >> 64) as u64);
    }
}
