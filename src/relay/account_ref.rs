//! The one way to an account: nobody forgets to ask whose it is.

use std::sync::Arc;

use super::caller::Caller;
use super::error::CallError;
use crate::accounts::{Account, AccountId, AccountState, Resets};
use crate::store::Store;

/// An account of the caller's: its fixed part, or all of it. A foreign id and one that does
/// not exist answer alike, after the same calls of the store.
pub struct AccountRef<T = Arc<Account>>(T);

impl AccountRef {
    /// The account's fixed part, if it is in one of the caller's pools.
    ///
    /// # Errors
    /// [`CallError::AccountNotFound`].
    pub async fn load(
        store: &dyn Store,
        caller: &Caller,
        id: AccountId,
    ) -> Result<Self, CallError> {
        match store.account(id).await? {
            Some(account) if caller.pools().contains(&account.pool) => Ok(Self(account)),
            _ => Err(CallError::AccountNotFound(id)),
        }
    }

    /// The account.
    pub fn account(&self) -> &Account {
        &self.0
    }
}

impl AccountRef<AccountState> {
    /// The account with what moves, if it is in one of the caller's pools and on a platform
    /// that the caller's token is for.
    ///
    /// # Errors
    /// [`CallError::AccountNotFound`].
    pub async fn load_whole(
        store: &dyn Store,
        caller: &Caller,
        id: AccountId,
        resets: &Resets,
    ) -> Result<Self, CallError> {
        match store.account_in(caller.pools(), id, resets).await? {
            Some(state) if caller.may_reach(state.account.platform.as_str()) => Ok(Self(state)),
            _ => Err(CallError::AccountNotFound(id)),
        }
    }

    /// Its id.
    pub fn id(&self) -> AccountId {
        self.0.account.id
    }

    /// The account as it is.
    pub fn state(&self) -> &AccountState {
        &self.0
    }
}
