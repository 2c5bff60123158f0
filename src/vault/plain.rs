//! A secret in memory: held briefly, shown by one method that can be searched for, wiped.

use zeroize::Zeroizing;

/// A credential in clear.
///
/// It can't be printed, serialized or copied, and its memory is wiped when it is
/// dropped. A `Vec` that grew before it came here has left copies behind: build it
/// with its capacity.
pub struct Plain(Zeroizing<Vec<u8>>);

impl Plain {
    /// The secret itself. Only exchange, refresh, capture and request signing may ask:
    /// a machine searches the code for this name.
    pub fn expose_secret(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Plain {
    fn from(secret: Vec<u8>) -> Self {
        Self(Zeroizing::new(secret))
    }
}

impl From<Zeroizing<Vec<u8>>> for Plain {
    fn from(secret: Zeroizing<Vec<u8>>) -> Self {
        Self(secret)
    }
}

static_assertions::assert_not_impl_any!(
    Plain: std::fmt::Debug, std::fmt::Display, serde::Serialize, Clone, AsRef<[u8]>
);
