//! Canaries: one record a key in the store, by which a wrong ring is noticed at start,
//! before anything is written with it.
//!
//! At start every record of the store is checked: [`OpenError::WrongKey`] ends the
//! process, [`OpenError::UnknownKid`] is a key that left the ring and a warning. Then the
//! ring's own records that are missing are added. A record is always the same text for
//! the same key, so that two gateways which start at once add one record.

use super::{OpenError, Vault, mac};

const CANARY: &[u8] = b"tributary canary";

impl Vault {
    /// The record of each key in the ring, primary first.
    pub fn canaries(&self) -> impl Iterator<Item = String> {
        self.keys().map(|keys| mac::write(keys.kid, &keys.canary, CANARY))
    }

    /// Checks a record against the ring's key of its name.
    ///
    /// # Errors
    /// [`OpenError::WrongKey`], [`OpenError::UnknownKid`] or [`OpenError::Malformed`].
    pub fn check_canary(&self, record: &str) -> Result<(), OpenError> {
        let (kid, proof) = mac::read(record)?;
        let keys = self.under(kid)?;
        mac::verify(&keys.canary, CANARY, &proof).ok_or(OpenError::WrongKey { kid })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Kid;
    use super::super::fixtures::{NEW, OLD, vault};
    use super::*;

    #[test]
    fn the_ring_that_made_a_store_fits_it() {
        let both = vault(&format!("{NEW},{OLD}"));
        let records: Vec<_> = both.canaries().collect();
        assert_eq!(records.len(), 2);
        assert!(records.iter().all(|record| both.check_canary(record).is_ok()));
        assert_eq!(vault(OLD).canaries().next().as_ref(), records.last());
    }

    #[test]
    fn a_wrong_key_and_a_missing_one_are_told_apart() {
        let record = vault(OLD).canaries().next().unwrap();
        let kid = Kid::parse("old").unwrap();
        let impostor = vault(&NEW.replace("new:", "old:"));
        assert_eq!(impostor.check_canary(&record), Err(OpenError::WrongKey { kid }));
        assert_eq!(vault(NEW).check_canary(&record), Err(OpenError::UnknownKid { kid }));
        assert_eq!(vault(OLD).check_canary("old"), Err(OpenError::Malformed));
    }
}
