//! What a rotation of the key ring reads and moves.

use std::sync::Arc;

use jiff::Timestamp;

use crate::accounts::{AccountId, AccountState, KeptRow, Resets, Rewrap};

use super::{Books, Note};

impl Books {
    /// The next accounts by id, whatever their pools, as they are at `now`.
    pub(in super::super) fn accounts_after(
        &self,
        after: Option<AccountId>,
        limit: usize,
        now: Timestamp,
        resets: &Resets,
    ) -> Vec<AccountState> {
        let mut ids: Vec<AccountId> = self.accounts.keys().copied().collect();
        ids.retain(|id| after.is_none_or(|after| *id > after));
        ids.sort_unstable();
        let next = ids.iter().take(limit).filter_map(|id| self.accounts.get(id));
        next.map(|entry| entry.shown(now, resets)).collect()
    }

    /// Gives an account another wrapping; `false`: the one that was read is there no more.
    pub(in super::super) fn rewrap(&mut self, one: &Rewrap) -> bool {
        let Some(entry) = self.accounts.get_mut(&one.account) else { return false };
        let done = Arc::make_mut(&mut entry.fixed).rewrap(one);
        if done {
            self.rows.push(Note::Changed(entry.fixed.clone()));
        }
        done
    }

    /// Lets kept bodies be replaced that this key has sealed.
    pub(in super::super) fn reseal(&mut self, kid: &str, batch: Vec<KeptRow>) {
        self.rows.extend(batch.into_iter().map(|row| Note::Resealed(kid.into(), row)));
    }
}
