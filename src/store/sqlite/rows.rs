//! How the smaller parts of a row are written and read.

use jiff::Timestamp;

use crate::accounts::{Billing, ChargeKind, Grant, Policy};

use super::super::{Answer, StoreError};
use super::books::Ms;

/// How the counters are called that hold how often each key of the ring has sealed.
pub(super) const SEALS: &str = "seals:";

pub(super) fn kind_number(kind: ChargeKind) -> i64 {
    match kind {
        ChargeKind::Released => 0,
        ChargeKind::Exact => 1,
        ChargeKind::Estimated => 2,
        ChargeKind::Correction => 3,
    }
}

pub(super) fn kind(number: i64) -> Answer<ChargeKind> {
    Ok(match number {
        0 => ChargeKind::Released,
        1 => ChargeKind::Exact,
        2 => ChargeKind::Estimated,
        3 => ChargeKind::Correction,
        other => {
            return Err(StoreError::Corrupt { what: "charge", why: format!("kind {other}") });
        }
    })
}

pub(super) fn billing_word(billing: Billing) -> &'static str {
    match billing {
        Billing::Quota => "quota",
        Billing::Points => "points",
    }
}

pub(super) fn billing(word: &str) -> Answer<Billing> {
    match word {
        "quota" => Ok(Billing::Quota),
        "points" => Ok(Billing::Points),
        other => Err(StoreError::Corrupt { what: "record", why: format!("billing {other}") }),
    }
}

/// What a grant says of its reasons, in bits: ailing, stayed, its policy's number and one.
pub(super) fn reasons(grant: &Grant) -> i64 {
    let policy = grant.policy.map_or(0, |policy| i64::from(policy.number()) + 1);
    i64::from(grant.ailing) | i64::from(grant.stayed) << 1 | policy << 2
}

/// Reads that of a grant on an account.
pub(super) fn with_reasons(grant: Grant, bits: i64) -> Grant {
    let policy = u8::try_from((bits >> 2) - 1).ok().and_then(Policy::numbered);
    Grant { ailing: bits & 1 != 0, stayed: bits & 2 != 0, policy, ..grant }
}

/// The ends of windows as text: milliseconds, `-` for a window that has none.
pub(super) fn ends_text(ends: &[Option<Ms>]) -> String {
    let words = ends.iter().map(|end| end.map_or_else(|| "-".into(), |ms| ms.to_string()));
    words.collect::<Vec<_>>().join(" ")
}

pub(super) fn ends(text: &str) -> Vec<Option<Ms>> {
    text.split_whitespace().map(|word| word.parse().ok()).collect()
}

pub(super) fn at(what: &'static str, ms: Ms) -> Answer<Timestamp> {
    Timestamp::from_millisecond(ms)
        .map_err(|error| StoreError::Corrupt { what, why: error.to_string() })
}

pub(super) fn json<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Answer<T> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt { what, why: error.to_string() })
}

pub(super) fn to_json<T: serde::Serialize>(what: &'static str, value: &T) -> Answer<String> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Corrupt { what, why: error.to_string() })
}
