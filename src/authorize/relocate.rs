//! Moving an account to another pool. Its seal holds in one pool alone, so its credential is
//! sealed anew.

use super::open::CREDENTIAL_FIELD;
use super::seals::{NoSeal, count_seal};
use crate::accounts::{Account, Deed, Doer, Moving, PoolId};
use crate::store::{Directory, StoreError, write_down};
use crate::vault::{OpenError, SealError, Vault, Worn};

/// Why an account stays where it is. No text holds a part of a credential.
#[derive(Debug, thiserror::Error)]
pub enum Unmoved {
    /// Requests are under way on it.
    #[error("requests are under way on account {}", .0.id)]
    Busy(Box<Account>),
    /// It was changed, or moved, meanwhile.
    #[error("account {} was changed meanwhile", .0.id)]
    Changed(Box<Account>),
    /// The other pool has one of its name.
    #[error("the pool has an account `{}` on {} already", .0.name, .0.platform)]
    Taken(Box<Account>),
    /// The other pool is closed.
    #[error("pool {0} is closed")]
    Closed(PoolId),
    /// Its credential does not open, so it can't be sealed anew.
    #[error("the credential of account {id} does not open: {error}", id = .0.id, error = .1)]
    Unopened(Box<Account>, OpenError),
    /// The ring may not seal, or that can't be counted.
    #[error("{0}")]
    NoSeal(#[from] NoSeal),
    /// The credential can't be sealed.
    #[error("{0}")]
    Seal(#[from] SealError),
    /// The store failed. Whether it is moved nobody knows; moving it again says so.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Moves an account; answers a warning when the ring's key is worn. To the pool that it is in
/// it is moved already: then a move that was broken off ends.
///
/// # Errors
/// [`Unmoved`].
pub async fn relocate(
    directory: &dyn Directory,
    vault: &Vault,
    doer: Doer,
    account: &Account,
    to: PoolId,
) -> Result<Option<Worn>, Unmoved> {
    let deed = |action| {
        Deed::new(doer.clone(), action, "account", account.id)
            .of(account.owner)
            .with("platform", &account.platform)
            .with("name", &account.name)
            .with("from_pool", account.pool)
            .with("to_pool", to)
    };
    if account.pool == to {
        directory.end_move(account.id).await?;
        return Ok(None);
    }
    let plain = vault.open_credential(&account.place(CREDENTIAL_FIELD), &account.sealed);
    let plain = plain.map_err(|error| Unmoved::Unopened(Box::new(account.clone()), error))?;
    let worn = count_seal(directory, vault).await?;
    let after = account.bound_for(to);
    let sealed = vault.seal_credential(&after.place(CREDENTIAL_FIELD), &plain)?;
    // Others may draw from it there: the log before the grant.
    write_down(directory, vault, deed("account.move")).await?;
    let moved = directory.move_account(account, after.sealed_as(sealed)).await;
    let refused = match moved {
        Ok(Moving::Done) => return Ok(worn),
        Ok(Moving::Busy) => Unmoved::Busy(Box::new(account.clone())),
        Ok(Moving::Stale) => Unmoved::Changed(Box::new(account.clone())),
        Err(StoreError::Taken(_)) => Unmoved::Taken(Box::new(account.clone())),
        Err(StoreError::Gone(_)) => Unmoved::Closed(to),
        Err(error) => error.into(),
    };
    write_down(directory, vault, deed("account.move_failed")).await?;
    Err(refused)
}
