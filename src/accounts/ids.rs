//! Ids. Each is its own type, so that a pool is never taken for an account.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! integer_id {
    ($(#[$doc:meta] $name:ident)*) => {$(
        #[$doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

integer_id! {
    /// One bound login on a platform.
    AccountId
    /// A set of accounts that callers draw from.
    PoolId
    /// A person.
    UserId
    /// A gateway token (never its secret).
    TokenId
}

impl TokenId {
    /// No token: somebody who is signed in to the console.
    pub const CONSOLE: Self = Self(0);
}

impl AccountId {
    /// No account: one of the operator's own keys, or, in a record, an account that was
    /// removed before its call ended.
    pub const OPERATOR: Self = Self(0);
}

/// A platform's id: `qwen`, `openai`, … or one that the configuration adds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlatformId(Arc<str>);

impl PlatformId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for PlatformId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for PlatformId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A lease's id: 128 random bits, chosen by the gateway that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseId(pub u128);

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.write_str(text))
    }
}

impl LeaseId {
    /// Its 32 hexadecimal digits. Each call writes several ids: the formatting machinery takes
    /// ten times as long for one.
    fn with_text<T>(self, take: impl FnOnce(&str) -> T) -> T {
        let mut text = [0; 32];
        for (byte, pair) in self.0.to_be_bytes().iter().zip(text.as_chunks_mut::<2>().0) {
            *pair = [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]);
        }
        take(std::str::from_utf8(&text).expect("hexadecimal digits are ASCII"))
    }
}

impl std::str::FromStr for LeaseId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

impl Serialize for LeaseId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

impl<'de> Deserialize<'de> for LeaseId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leases_id_is_all_its_digits() {
        for id in [0, 0xab, 0x0123_4567_89ab_cdef, u128::MAX, u128::MAX << 4] {
            let text = LeaseId(id).to_string();
            assert_eq!(text, format!("{id:032x}"));
            assert_eq!(text.parse(), Ok(LeaseId(id)));
            assert_eq!(serde_json::to_string(&LeaseId(id)).unwrap(), format!("{text:?}"));
        }
    }
}
