//! Opening an account's credential in its place.

use crate::accounts::Account;
use crate::platforms::{Credential, CredentialError};
use crate::vault::{OpenError, Vault};

/// The field of a sealed credential that its seal is bound to.
pub const CREDENTIAL_FIELD: &str = "credential";

/// Why a credential does not open.
#[derive(Debug, thiserror::Error)]
pub enum Unopened {
    /// The seal holds, or its key is gone.
    #[error("{0}")]
    Seal(#[from] OpenError),
    /// What was sealed is no credential.
    #[error("{0}")]
    Credential(#[from] CredentialError),
}

/// Opens an account's credential.
///
/// # Errors
/// [`Unopened`].
pub fn open(vault: &Vault, account: &Account) -> Result<Credential, Unopened> {
    let plain = vault.open_credential(&account.place(CREDENTIAL_FIELD), &account.sealed)?;
    Ok(Credential::from_sealed(plain.expose_secret())?)
}
