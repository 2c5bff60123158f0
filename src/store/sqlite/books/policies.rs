//! What a pool's policy picks, and where accounts stand for it.
//!
//! The order by most left is kept under every policy: refusals are read off it, and it
//! finds an account that fits where the policy's own order does not. The orders of
//! [`Policy::Priority`] and [`Policy::RoundRobin`] stand beside it, by classes: the pick
//! looks at the first of each class, so it costs the same however many accounts there are.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::accounts::{AccountId, Policy, PoolId, Priority, size_class};

use super::family::Rank;
use super::{Books, Note, family_of};

/// An account's place in the order of its pool's policy: a class, and within it
/// [`Policy::Priority`] by most left, [`Policy::RoundRobin`] by longest unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    class: u8,
    key: (i64, i64, i64),
    account: AccountId,
    rest: i64,
}

/// So many accounts of the class that a request may just fit in are looked at.
pub(super) const DEEP: usize = 64;

impl Place {
    /// The place of a ready account; none where it has nothing left, or its policy keeps no
    /// order of its own.
    pub(super) fn of(policy: Policy, priority: Priority, rank: Rank) -> Option<Self> {
        let Rank { rest: Reverse(rest), open, turn, account } = rank;
        let (class, key) = match policy {
            Policy::MostRemaining | Policy::Sticky => return None,
            Policy::Priority => (priority.into(), (-rest, open.into(), turn)),
            Policy::RoundRobin => (size_class(rest), (turn, -rest, open.into())),
        };
        (rest > 0).then_some(Self { class, key, account, rest })
    }

    pub(super) fn account(&self) -> AccountId {
        self.account
    }

    fn fits(&self, estimate: i64) -> bool {
        estimate <= self.rest
    }

    /// Before all of a class.
    fn before(class: u8) -> Self {
        Self { class, key: (i64::MIN, 0, 0), account: AccountId(i64::MIN), rest: 0 }
    }
}

/// The first accounts of each class, from a class on.
struct Classes<'a, F> {
    order: &'a BTreeSet<Place>,
    takes: F,
    next: Option<u8>,
}

impl<'a, F: Fn(AccountId) -> bool> Iterator for Classes<'a, F> {
    type Item = &'a Place;

    fn next(&mut self) -> Option<&'a Place> {
        let from = Place::before(self.next?);
        let first = self.order.range(from..).find(|place| (self.takes)(place.account));
        self.next = first.and_then(|place| place.class.checked_add(1));
        first
    }
}

/// Which account a policy picks from its order, of those that may be taken.
pub(super) fn pick(
    policy: Policy,
    order: &BTreeSet<Place>,
    estimate: i64,
    takes: impl Fn(AccountId) -> bool + Copy,
) -> Option<AccountId> {
    let from = |class| Classes { order, takes, next: Some(class) };
    let picked = match policy {
        Policy::MostRemaining | Policy::Sticky => None,
        Policy::Priority => from(0).find(|place| place.fits(estimate)),
        Policy::RoundRobin => {
            let class = size_class(estimate);
            let of_class = order.range(Place::before(class)..Place::before(class + 1)).take(DEEP);
            let just = of_class.into_iter().find(|one| one.fits(estimate) && takes(one.account));
            just.into_iter().chain(from(class + 1)).min_by_key(|one| (one.key, one.account))
        }
    };
    picked.map(|place| place.account)
}

impl Books {
    /// The policy that a pool has.
    pub(in super::super) fn policy(&self, pool: PoolId) -> Policy {
        self.policies.get(&pool).copied().unwrap_or(self.usual)
    }

    /// A pool's own policy, if it was given one.
    pub(in super::super) fn own_policy(&self, pool: PoolId) -> Option<Policy> {
        self.policies.get(&pool).copied()
    }

    /// Gives a pool a policy of its own, or takes it away.
    pub(in super::super) fn set_policy(
        &mut self,
        pool: PoolId,
        policy: Option<Policy>,
        now: Timestamp,
    ) {
        self.place_policy(pool, policy, now);
        self.rows.push(Note::Policy(pool, policy));
    }

    /// As [`Books::set_policy`]; also what loading does.
    pub(in super::super) fn place_policy(
        &mut self,
        pool: PoolId,
        policy: Option<Policy>,
        now: Timestamp,
    ) {
        match policy {
            Some(policy) => _ = self.policies.insert(pool, policy),
            None => _ = self.policies.remove(&pool),
        }
        let policy = self.policy(pool);
        for family in self.pools.get_mut(&pool).into_iter().flat_map(|all| all.values_mut()) {
            family.policy = policy;
            for id in family.members.clone() {
                if let Some(entry) = self.accounts.get_mut(&id) {
                    family.stand(entry, now);
                }
            }
        }
    }

    /// Gives an account another priority; `None`: there is no such account.
    pub(in super::super) fn set_priority(
        &mut self,
        id: AccountId,
        priority: Priority,
        now: Timestamp,
    ) -> Option<()> {
        let entry = self.accounts.get_mut(&id)?;
        entry.priority = priority;
        family_of(&mut self.pools, entry)?.stand(entry, now);
        self.rows.push(Note::Priority(id, priority));
        Some(())
    }
}
