//! The count of a ring's seals: each is counted before it is made.

use crate::store::{Directory, StoreError};
use crate::vault::{SealError, Vault, Worn};

/// Why the ring may not seal.
#[derive(Debug, thiserror::Error)]
pub enum NoSeal {
    /// It can't be counted.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The ring's key has sealed too often.
    #[error("{0}")]
    Seal(#[from] SealError),
}

/// Counts a seal that the ring is about to make; answers a warning when its key is worn.
///
/// # Errors
/// [`NoSeal`].
pub async fn count_seal(
    directory: &(impl Directory + ?Sized),
    vault: &Vault,
) -> Result<Option<Worn>, NoSeal> {
    let seals = directory.count_seals(vault.sealing_kid().as_str(), 1).await?;
    Ok(vault.may_seal(seals)?)
}
