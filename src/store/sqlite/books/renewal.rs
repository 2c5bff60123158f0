//! Short-lived keys of accounts, and who makes the next.

use std::sync::Arc;

use jiff::Timestamp;

use crate::accounts::{AccountId, LeaseId, ShortKey};

use super::{Books, Note};

impl Books {
    pub(in super::super) fn claim_renewal(
        &mut self,
        id: AccountId,
        claim: LeaseId,
        until: Timestamp,
        now: Timestamp,
    ) -> bool {
        let held = self.renewals.get(&id).is_some_and(|(by, until)| *by != claim && *until > now);
        let granted = !held && self.accounts.contains_key(&id);
        if granted {
            self.renewals.insert(id, (claim, until));
        }
        granted
    }

    pub(in super::super) fn end_renewal(&mut self, id: AccountId, claim: LeaseId) {
        if self.renewals.get(&id).is_some_and(|(by, _)| *by == claim) {
            self.renewals.remove(&id);
        }
    }

    pub(in super::super) fn keep_short_key(&mut self, id: AccountId, key: ShortKey) -> bool {
        let Some(entry) = self.accounts.get_mut(&id) else { return false };
        let taken = Arc::make_mut(&mut entry.fixed).take_short_key(key);
        if taken {
            self.rows.push(Note::Changed(entry.fixed.clone()));
        }
        taken
    }
}
