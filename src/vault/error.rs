//! What can go wrong in this room. No text here holds a key, a credential or a token.

use super::Kid;

/// A key ring that can't be used. Entries count from 1, as a reader counts them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// There is no key at all.
    #[error("the key ring is empty")]
    Empty,
    /// An entry is not `name:base64`, or its name is none.
    #[error(
        "entry {entry} of the key ring is not `name:base64` (a name is 1 to 24 of A-Z a-z 0-9 - _ \
         and not `dek`)"
    )]
    BadKid {
        /// Which entry.
        entry: usize,
    },
    /// A key is not base64.
    #[error("key `{kid}` of the key ring is not base64")]
    NotBase64 {
        /// Its name.
        kid: Kid,
    },
    /// A key is too short.
    #[error("key `{kid}` of the key ring has {bytes} bytes, 32 are needed")]
    Short {
        /// Its name.
        kid: Kid,
        /// How many bytes it has.
        bytes: usize,
    },
    /// A key is one byte over and over.
    #[error("key `{kid}` of the key ring is one byte repeated, which is no secret")]
    Repeated {
        /// Its name.
        kid: Kid,
    },
    /// Two keys have one name.
    #[error("the key ring has two keys named `{kid}`")]
    DuplicateKid {
        /// Their name.
        kid: Kid,
    },
    /// Two names have one key, so that a rotation would rotate nothing.
    #[error("keys `{kid}` and `{other}` of the key ring are the same key")]
    SameKey {
        /// The first name.
        kid: Kid,
        /// The second name.
        other: Kid,
    },
}

/// Why nothing could be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes: {0}")]
    NoRandom(#[from] getrandom::Error),
    /// The primary has made as many seals as it safely may.
    #[error(
        "key `{kid}` has sealed as often as it safely may: put a new key in front of it in the \
         ring (`tributary keys generate`), and keep it behind that one"
    )]
    Spent {
        /// Its name.
        kid: Kid,
    },
    /// More than AES-GCM may seal at once (64 GiB).
    #[error("{bytes} bytes are too many to seal at once")]
    TooLong {
        /// How many were given.
        bytes: usize,
    },
}

/// Why a sealed value, a MAC or a canary was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Made with a key that is not in the ring. A credential's account becomes `locked`;
    /// nothing is deleted, because the key may come back.
    #[error("made with key `{kid}`, which is not in the key ring")]
    UnknownKid {
        /// The key's name.
        kid: Kid,
    },
    /// Changed since, moved from another place, or made with another key of that name.
    #[error("what key `{kid}` made was changed, or belongs to another place")]
    Tampered {
        /// The key's name.
        kid: Kid,
    },
    /// The ring's key of that name is not the one that this store was made with.
    #[error("key `{kid}` of the key ring is not the `{kid}` that this store was made with")]
    WrongKey {
        /// The key's name.
        kid: Kid,
    },
    /// Not in the form that this room writes.
    #[error("not in the form that sealed values and MACs have")]
    Malformed,
}
