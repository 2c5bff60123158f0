//! Whose an account is. It says who may take it to another pool, where it is sealed anew: one
//! who can only write the store must not have that done for himself.

use crate::accounts::{Account, AccountId, UserId};
use crate::vault::{MacParts, MacPurpose, Vault};

/// The proof that an account is this user's.
pub fn prove_owner(vault: &Vault, id: AccountId, owner: UserId) -> String {
    vault.mac(MacPurpose::Row, &parts(id, owner))
}

/// Whether a holder of the ring bound the account for the owner that it names.
pub fn has_proved_owner(vault: &Vault, account: &Account) -> bool {
    let parts = parts(account.id, account.owner);
    vault.check_mac(MacPurpose::Row, &parts, &account.owner_proof).is_ok()
}

fn parts(id: AccountId, owner: UserId) -> MacParts {
    MacParts::new("account_owner").number(id.0).number(owner.0)
}
