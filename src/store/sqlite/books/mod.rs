//! The books in memory: everything that a lease needs, without I/O.
//!
//! A verb changes the books and notes what it changed; the writer commits the notes
//! ([`notes`] says how).
//! When a commit fails the books are thrown away and read anew, so they never count
//! what the file does not.
//!
//! Costs: a lease, settlement or renewal is O(log n) in the accounts of its family
//! (one pool on one platform). A model that is blocked on many accounts has an order of its
//! own ([`blocks`]); past those of a model that is blocked on a few a lease walks.

mod bindings;
mod blocks;
mod choice;
mod edit;
mod entry;
mod family;
mod health;
mod lease;
mod moves;
mod nobodies;
mod notes;
mod people;
mod policies;
mod purses;
mod renewal;
mod sealings;
mod settle;
mod sign_ins;
mod sweep;
mod teams;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::accounts::{
    AccountId, AccountState, Condition, IdMap, LeaseId, NewAccount, PlatformId, Policy, PoolId,
    Resets, Tokens,
};

use super::super::{Answer, StoreError};

pub(super) use entry::Entry;
use family::Family;
pub(super) use lease::OpenLease;
pub(super) use nobodies::is_nobody;
use notes::Unfolded;
pub(super) use notes::{Fold, Folding, Motion, Note, Notes};
pub(super) use people::{Counter, People};
use purses::Purses;
pub(super) use purses::{Entry as PointsEntry, Held, HoldState, PurseId, PurseNote};
pub(super) use settle::{Charged, Estimate, LATE, Usage};
use teams::TeamBook;
pub(super) use teams::TeamNote;

/// Milliseconds since the Unix epoch.
pub(super) type Ms = i64;

/// The state of the store.
#[derive(Default)]
pub(super) struct Books {
    accounts: IdMap<AccountId, Entry>,
    pools: IdMap<PoolId, BTreeMap<PlatformId, Family>>,
    /// The policies of pools that have one of their own.
    policies: IdMap<PoolId, Policy>,
    /// The policy of all others.
    usual: Policy,
    leases: IdMap<LeaseId, OpenLease>,
    deadlines: BTreeSet<(Ms, LeaseId)>,
    /// Estimates of deadlines that a late exact figure may still replace.
    estimates: IdMap<LeaseId, Estimate>,
    estimates_by_age: BTreeSet<(Ms, LeaseId)>,
    /// The row of the last lease: also the order in which accounts were used.
    last_lease: i64,
    pub(super) people: People,
    pub(super) teams: TeamBook,
    pub(super) purses: Purses,
    /// Whose the leases of removed accounts are, by family.
    nobodies: Vec<(AccountId, PoolId, PlatformId)>,
    /// Who makes an account's next short-lived key, and until when nobody else may.
    renewals: IdMap<AccountId, (LeaseId, Timestamp)>,
    /// When old rows are deleted next.
    forget_at: Ms,
    rows: Vec<Note>,
    unfolded: Unfolded,
}

impl Books {
    /// Books without a row, of a store whose pools have this policy unless they have their own.
    pub(super) fn new(usual: Policy) -> Self {
        Self { usual, ..Self::default() }
    }

    pub(super) fn add_account(&mut self, new: NewAccount, now: Timestamp) -> Answer<()> {
        let family = self.pools.get(&new.pool).and_then(|all| all.get(&new.platform));
        if family.is_some_and(|family| family.names.contains(&new.name)) {
            return Err(StoreError::Taken(format!("an account named {}", new.name)));
        }
        if self.accounts.contains_key(&new.id) {
            return Err(StoreError::Taken(format!("an account {}", new.id)));
        }
        if self.teams.is_closed(new.pool) {
            return Err(StoreError::Gone(format!("pool {}", new.pool)));
        }
        let entry = Entry::bound(new, now);
        self.rows.push(Note::Account(entry.fixed.clone()));
        self.rows.push(Note::Condition(entry.fixed.id, Condition::default()));
        // A verb that writes the windows of an account in use must fold in the same commit.
        self.rows.push(Note::Windows(entry.fixed.id, entry.windows.clone()));
        self.rows.push(Note::Priority(entry.fixed.id, entry.priority));
        self.place(entry, now);
        Ok(())
    }

    /// Puts an account into its family; also what loading does.
    pub(super) fn place(&mut self, mut entry: Entry, now: Timestamp) {
        let (pool, platform) = (entry.fixed.pool, entry.fixed.platform.clone());
        let policy = self.policy(pool);
        let family = self.pools.entry(pool).or_default().entry(platform).or_default();
        family.policy = policy;
        self.last_lease = self.last_lease.max(entry.turn);
        family.members.insert(entry.fixed.id);
        family.names.insert(entry.fixed.name.clone());
        family.stand(&mut entry, now);
        self.accounts.insert(entry.fixed.id, entry);
    }

    /// Removes an account. Its open leases are nobody's, and end as any.
    pub(super) fn remove_account(&mut self, id: AccountId) -> bool {
        let Some(entry) = self.accounts.remove(&id) else { return false };
        if let Some(family) = family_of(&mut self.pools, &entry) {
            family.remove(&entry);
        }
        self.renewals.remove(&id);
        let is_its = |lease: &OpenLease| lease.grant.account == id;
        let mut nobody = AccountId::OPERATOR;
        if self.leases.values().any(is_its) {
            nobody = self.nobody_of(entry.fixed.pool, &entry.fixed.platform);
        }
        for lease in self.leases.values_mut().filter(|lease| is_its(lease)) {
            lease.grant.account = nobody;
        }
        self.rows.push(Note::Removed(id, nobody));
        // What the journal has of it would be replayed without its account.
        self.let_fold();
        true
    }

    /// Lets a slice of what removed accounts have go with the next commit.
    pub(super) fn let_leave(&mut self) {
        self.rows.push(Note::Leaving);
    }

    /// The pools that have accounts, or had.
    pub(super) fn pools_of_accounts(&self) -> Vec<PoolId> {
        self.pools.keys().copied().collect()
    }

    pub(super) fn account(&self, id: AccountId) -> Option<&Entry> {
        self.accounts.get(&id)
    }

    /// An account of some pools as it is at `now`.
    pub(super) fn account_in(
        &self,
        pools: &[PoolId],
        id: AccountId,
        now: Timestamp,
        resets: &Resets,
    ) -> Option<AccountState> {
        let entry = self.accounts.get(&id).filter(|entry| pools.contains(&entry.fixed.pool));
        entry.map(|entry| entry.shown(now, resets))
    }

    /// The accounts of some pools, by id, as they are at `now`.
    pub(super) fn accounts_in(
        &self,
        pools: &[PoolId],
        now: Timestamp,
        resets: &Resets,
    ) -> Vec<AccountState> {
        let ids: BTreeSet<AccountId> = pools
            .iter()
            .filter_map(|pool| self.pools.get(pool))
            .flat_map(BTreeMap::values)
            .flat_map(|family| family.members.iter().copied())
            .collect();
        ids.iter()
            .filter_map(|id| self.accounts.get(id))
            .map(|entry| entry.shown(now, resets))
            .collect()
    }
}

/// The family that an account stands in.
fn family_of<'a>(
    pools: &'a mut IdMap<PoolId, BTreeMap<PlatformId, Family>>,
    entry: &Entry,
) -> Option<&'a mut Family> {
    pools.get_mut(&entry.fixed.pool)?.get_mut(&entry.fixed.platform)
}

/// Tokens as the file and the figures' differences hold them.
fn signed(tokens: Tokens) -> i64 {
    tokens.signed()
}
