//! Signatures that platforms document. Pure: whoever signs says what time it is.

mod bce;
mod spark;
mod zhipu;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub(super) use bce::{BceRequest, authorization as bce_authorization, date as bce_date};
pub(super) use spark::Keys as SparkKeys;
pub(super) use zhipu::token as zhipu_token;

/// HMAC-SHA256 (RFC 2104).
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}
