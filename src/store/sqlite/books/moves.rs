//! Moving an account to another pool.

use std::sync::Arc;

use jiff::Timestamp;

use crate::accounts::{Account, Moving};

use super::super::super::{Answer, StoreError};
use super::family::Standing;
use super::{Books, Note, family_of};

impl Books {
    pub(in super::super) fn move_account(
        &mut self,
        before: &Account,
        after: Account,
        now: Timestamp,
    ) -> Answer<Moving> {
        let id = before.id;
        let Some(entry) = self.accounts.get(&id) else { return Ok(Moving::Stale) };
        let is = &entry.fixed;
        let lies_there = is.lies_in(before.pool, &before.platform);
        if !lies_there || is.sealed != before.sealed || is.generation != before.generation {
            return Ok(Moving::Stale);
        }
        if entry.open > 0 {
            return Ok(Moving::Busy);
        }
        let name = is.name.clone();
        let there = self.pools.get(&after.pool).and_then(|all| all.get(&after.platform));
        if there.is_some_and(|family| family.names.contains(&name)) {
            return Err(StoreError::Taken(format!("an account named {name}")));
        }
        if self.teams.is_closed(after.pool) {
            return Err(StoreError::Gone(format!("pool {}", after.pool)));
        }
        let Some(mut entry) = self.accounts.remove(&id) else { return Ok(Moving::Stale) };
        let mut blocks = Vec::new();
        if let Some(family) = family_of(&mut self.pools, &entry) {
            blocks = family.blocks.on(id);
            family.remove(&entry);
        }
        self.renewals.remove(&id);
        // A name that it was given meanwhile comes along.
        entry.fixed = Arc::new(Account { name, ..after });
        entry.standing = Standing::default();
        self.rows.push(Note::Moved(entry.fixed.clone()));
        self.place(entry, now);
        for (model, until) in blocks {
            self.place_block(id, &model, until);
        }
        Ok(Moving::Done)
    }
}
