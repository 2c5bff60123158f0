//! Whose the open leases of a removed account are: nobody's, who has an id below zero in each
//! family. So their charges are told where they were made, without the account's id.

use crate::accounts::{AccountId, PlatformId, PoolId};

use super::{Books, Note};

/// Whether no account has this id.
pub(in super::super) fn is_nobody(account: AccountId) -> bool {
    account <= AccountId::OPERATOR
}

impl Books {
    /// Who that is in a family.
    pub(super) fn nobody_of(&mut self, pool: PoolId, platform: &PlatformId) -> AccountId {
        if let Some((known, ..)) =
            self.nobodies.iter().find(|(_, of, on)| *of == pool && on == platform)
        {
            return *known;
        }
        let least = self.nobodies.iter().map(|(id, ..)| id.0).min().unwrap_or_default();
        let id = AccountId(least - 1);
        self.rows.push(Note::Nobody(id, pool, platform.clone()));
        self.read_nobody(id, pool, platform.clone());
        id
    }

    /// The file has one.
    pub(in super::super) fn read_nobody(&mut self, id: AccountId, pool: PoolId, on: PlatformId) {
        self.nobodies.push((id, pool, on));
    }

    /// The platform of an account, or of nobody's leases.
    pub(in super::super) fn platform_of(&self, account: AccountId) -> Option<PlatformId> {
        match self.account(account) {
            Some(entry) => Some(entry.fixed.platform.clone()),
            None => {
                self.nobodies.iter().find(|(id, ..)| *id == account).map(|(_, _, on)| on.clone())
            }
        }
    }
}
