//! What a person sets of an account.

use std::sync::Arc;

use jiff::Timestamp;

use crate::accounts::{AccountId, Origin, Resets, Tokens};

use super::super::super::{Answer, StoreError};
use super::{Books, Note, family_of};

impl Books {
    /// Gives an account another name; `None`: there is no such account.
    pub(in super::super) fn rename(&mut self, id: AccountId, name: &str) -> Answer<Option<()>> {
        let Some(entry) = self.accounts.get_mut(&id) else { return Ok(None) };
        let Some(family) = family_of(&mut self.pools, entry) else { return Ok(None) };
        if entry.fixed.name == name {
            return Ok(Some(()));
        }
        if !family.names.insert(name.to_owned()) {
            return Err(StoreError::Taken(format!("an account named {name}")));
        }
        family.names.remove(&entry.fixed.name);
        Arc::make_mut(&mut entry.fixed).name = name.to_owned();
        self.rows.push(Note::Changed(entry.fixed.clone()));
        Ok(Some(()))
    }

    /// Gives an account's first window another limit; `None`: there is no such account.
    pub(in super::super) fn set_limit(
        &mut self,
        id: AccountId,
        limit: Option<Tokens>,
        origin: Origin,
        now: Timestamp,
        resets: &Resets,
    ) -> Option<()> {
        let entry = self.accounts.get_mut(&id)?;
        let family = family_of(&mut self.pools, entry)?;
        entry.roll(now, resets);
        if let Some(first) = entry.windows.first_mut() {
            (first.limit, first.origin) = (limit, origin);
        }
        family.stand(entry, now);
        self.note_windows(id);
        Some(())
    }

    /// Notes an account's windows whole.
    pub(super) fn note_windows(&mut self, id: AccountId) {
        let Some(entry) = self.accounts.get_mut(&id) else { return };
        self.rows.push(Note::Windows(id, entry.windows.clone()));
        // What is used goes with it, so the charges up to here are folded in the same commit.
        self.unfolded.moved(entry);
        self.let_fold();
    }
}
