//! How often a wrapping key may seal.
//!
//! Random 96-bit nonces bound a key to 2^32 seals (NIST SP 800-38D, 8.3). The store counts
//! them, each before it is made: a crash between counts one too many, never one too few.

use super::{Kid, SealError, Vault};

/// From so many seals on a new primary is asked for.
const WORN: u64 = 1 << 28;
/// The seal of this number is refused.
const SPENT: u64 = 1 << 31;

/// A key that seals still, and should be followed by a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "key `{kid}` has sealed {seals} times, and seals no more from {SPENT} on: put a new key in \
     front of it in the ring (`tributary keys generate`), and keep it behind that one"
)]
pub struct Worn {
    kid: Kid,
    seals: u64,
}

impl Vault {
    /// The key that seals. Each of its seals is counted under this name before it is made.
    pub fn sealing_kid(&self) -> Kid {
        self.primary.kid
    }

    /// Whether [`Vault::sealing_kid`] may make its seal of this number, counted from 1;
    /// and whether it should be its successor's soon.
    ///
    /// # Errors
    /// [`SealError::Spent`].
    pub fn may_seal(&self, seals: u64) -> Result<Option<Worn>, SealError> {
        let kid = self.primary.kid;
        match seals {
            SPENT.. => Err(SealError::Spent { kid }),
            WORN.. => Ok(Some(Worn { kid, seals })),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{NEW, OLD, vault};
    use super::*;

    #[test]
    fn a_key_warns_from_2_to_the_28_and_refuses_from_2_to_the_31() {
        let vault = vault(&format!("{NEW},{OLD}"));
        for seals in [1, 268_435_455] {
            assert_eq!(vault.may_seal(seals).unwrap(), None);
        }
        for seals in [268_435_456, 2_147_483_647] {
            let worn = vault.may_seal(seals).unwrap().unwrap().to_string();
            assert!(worn.starts_with(&format!("key `new` has sealed {seals} times")), "{worn}");
            assert!(worn.contains("tributary keys generate"), "{worn}");
        }
        for seals in [2_147_483_648, u64::MAX] {
            let refused = vault.may_seal(seals).unwrap_err();
            assert!(matches!(refused, SealError::Spent { kid } if kid == vault.sealing_kid()));
            assert!(refused.to_string().starts_with("key `new` has sealed as often as"));
        }
    }
}
