//! The key ring against a store: the proof that they fit, before anything is written under
//! it.

use super::Failure;
use crate::store::{Directory, StoreError};
use crate::vault::{OpenError, Vault};

/// Checks every canary of the store, then adds the ring's that it lacks.
///
/// A key of the store's that has left the ring is a warning, as long as one is left: its
/// accounts are locked, and come back with it. Answers that warning.
pub(super) async fn prove(
    directory: &dyn Directory,
    vault: &Vault,
) -> Result<Option<String>, Failure> {
    let stored = directory.canaries().await?;
    let missing = fits(&stored, vault)?;
    for canary in vault.canaries().filter(|canary| !stored.contains(canary)) {
        directory.add_canary(&canary).await?;
    }
    let names = missing.join(", ");
    let locked = "is not in the ring: what it sealed stays locked until it is back";
    let how = "(`tributary keys status` tells whether there is anything)";
    Ok((!missing.is_empty()).then(|| format!("this store's key {names} {locked} {how}")))
}

/// Checks every canary of the store; answers the names of those that the ring has not.
///
/// # Errors
/// [`Failure::WrongKeys`] when a key is another one of that name, or all are missing.
pub(super) fn fits(stored: &[String], vault: &Vault) -> Result<Vec<String>, Failure> {
    let mut missing = Vec::new();
    for canary in stored {
        match vault.check_canary(canary) {
            Ok(()) => {}
            Err(OpenError::UnknownKid { kid }) => missing.push(kid.to_string()),
            Err(error @ OpenError::WrongKey { .. }) => return Err(Failure::wrong_keys(&error)),
            Err(error) => {
                let why = error.to_string();
                return Err(StoreError::Corrupt { what: "canary", why }.into());
            }
        }
    }
    if !stored.is_empty() && missing.len() == stored.len() {
        let names = missing.join(", ");
        let what = format!("no key of the ring belongs to this store, which was made with {names}");
        return Err(Failure::WrongKeys { what });
    }
    Ok(missing)
}
