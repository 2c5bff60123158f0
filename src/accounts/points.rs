//! Points: what the operator's own paid keys cost a user.
//!
//! An amount is a whole number of millionths of a point: money is never a float, and
//! sums are exact on every store.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ChargeKind, LeaseId};

/// An amount of points, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Points(pub i64);

/// Millionths in a point.
const ONE: u64 = 1_000_000;
const DECIMALS: usize = 6;

impl Points {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount: what every store counts exactly (2^53 millionths).
    pub const MOST: Self = Self(1 << 53);

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// So many millionths, or [`Points::MOST`].
    pub fn of_millionths(millionths: u128) -> Self {
        Self(i64::try_from(millionths).unwrap_or(i64::MAX).min(Self::MOST.0))
    }
}

impl std::ops::Add for Points {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::iter::Sum for Points {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, std::ops::Add::add)
    }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (self.0.unsigned_abs() / ONE, self.0.unsigned_abs() % ONE);
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let rest = format!("{rest:06}");
        write!(f, "{sign}{whole}.{}", rest.trim_end_matches('0'))
    }
}

/// A text that is no amount of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an amount of points is a number as `12` or `0.25`, with six decimals at most")]
pub struct NoPoints;

impl FromStr for Points {
    type Err = NoPoints;

    fn from_str(text: &str) -> Result<Self, NoPoints> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text),
        };
        let (whole, rest) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(whole) || !is_number(rest) || rest.len() > DECIMALS {
            return Err(NoPoints);
        }
        let millionths: i64 = format!("{whole}{rest:0<DECIMALS$}").parse().map_err(|_| NoPoints)?;
        if millionths > Self::MOST.0 {
            return Err(NoPoints);
        }
        Ok(Self(sign * millionths))
    }
}

impl Serialize for Points {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Amount;

        impl Visitor<'_> for Amount {
            type Value = Points;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount of points, as 12 or \"0.25\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Points, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, whole: u64) -> Result<Points, E> {
                self.visit_str(&whole.to_string())
            }

            fn visit_i64<E: de::Error>(self, whole: i64) -> Result<Points, E> {
                self.visit_str(&whole.to_string())
            }
        }

        deserializer.deserialize_any(Amount)
    }
}

/// Why a balance moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// The operator gave, or took back.
    Grant,
    /// A request, by the platform's figure.
    Exact,
    /// A request, by our count or estimate.
    Estimated,
    /// The platform's figure less our estimate, which was charged before.
    Correction,
}

impl EntryKind {
    /// The entry that a hold's end leaves; none where nothing was used.
    pub fn of(charge: ChargeKind) -> Option<Self> {
        match charge {
            ChargeKind::Released => None,
            ChargeKind::Exact => Some(Self::Exact),
            ChargeKind::Estimated => Some(Self::Estimated),
            ChargeKind::Correction => Some(Self::Correction),
        }
    }
}

/// One entry of a user's ledger. A user's entries sum to its balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointsEntry {
    /// Where it lies in the ledger: ask for what came before it by this.
    pub cursor: String,
    /// When the balance moved.
    pub at: Timestamp,
    /// Why.
    pub kind: EntryKind,
    /// By how much: spending is below zero.
    pub points: Points,
    /// The balance after it.
    pub balance: Points,
    /// The hold that ended: the `lease` of an attempt in the records.
    pub hold: Option<LeaseId>,
    /// The operator's words, or `PLATFORM/MODEL`.
    pub note: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_as_it_is_written() {
        for (text, millionths) in [
            ("0", 0),
            ("12", 12_000_000),
            ("0.25", 250_000),
            ("-3.000001", -3_000_001),
            ("-0.5", -500_000),
            ("9007199254.740992", 1 << 53),
        ] {
            assert_eq!(text.parse(), Ok(Points(millionths)));
            assert_eq!(Points(millionths).to_string(), text);
        }
        assert_eq!("1.50".parse(), Ok(Points(1_500_000)));
        for text in ["", "-", ".5", "1.", "1e3", "0.1234567", "9007199254.740993", "+1", "1.-1"] {
            assert_eq!(text.parse::<Points>(), Err(NoPoints), "{text}");
        }
    }

    #[test]
    fn money_is_no_float() {
        let read = |json: &str| serde_json::from_str::<Points>(json).ok();
        assert_eq!(read("12"), Some(Points(12_000_000)));
        assert_eq!(read("\"0.8\""), Some(Points(800_000)));
        assert_eq!(read("0.8"), None);
    }
}
