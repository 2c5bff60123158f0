//! Blocks of one model on some accounts of a family, each with its own end.
//!
//! A model that is blocked on many has an order of its own: the accounts less those, so
//! that a lease finds one without walking past them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::accounts::AccountId;

use super::Ms;
use super::family::Rank;

/// So many blocks of a model are worth an order of its own.
const MANY: usize = 32;
/// So many models may have one: each is kept up with every lease.
const ORDERS: usize = 4;

/// A family's blocks.
#[derive(Default)]
pub(super) struct Blocks {
    by_model: HashMap<Box<str>, BTreeMap<AccountId, Ms>>,
    ends: BTreeSet<(Ms, Box<str>, AccountId)>,
    orders: HashMap<Box<str>, BTreeSet<Rank>>,
}

/// A block that has ended.
pub(super) struct Ended {
    pub(super) account: AccountId,
    pub(super) model: Box<str>,
}

impl Blocks {
    /// Blocks a model on an account that stands at `rank`, unless a longer block stands;
    /// answers whether it did. `ready` is the family's order.
    pub(super) fn add(
        &mut self,
        account: AccountId,
        rank: Option<Rank>,
        model: &str,
        until: Ms,
        ready: &BTreeSet<Rank>,
    ) -> bool {
        let accounts = self.by_model.entry(model.into()).or_default();
        match accounts.get(&account) {
            Some(&end) if end >= until => return false,
            Some(&end) => _ = self.ends.remove(&(end, model.into(), account)),
            None => {}
        }
        accounts.insert(account, until);
        self.ends.insert((until, model.into(), account));
        if let Some(order) = self.orders.get_mut(model) {
            rank.map(|rank| order.remove(&rank));
        } else if accounts.len() >= MANY && self.orders.len() < ORDERS {
            let free = ready.iter().filter(|rank| !accounts.contains_key(&rank.account));
            self.orders.insert(model.into(), free.copied().collect());
        }
        true
    }

    /// The blocks of one model, if any account has one.
    pub(super) fn of(&self, model: &str) -> Option<&BTreeMap<AccountId, Ms>> {
        if self.by_model.is_empty() { None } else { self.by_model.get(model) }
    }

    /// The order of accounts for a model that is blocked on many.
    pub(super) fn order(&self, model: &str) -> Option<&BTreeSet<Rank>> {
        if self.orders.is_empty() { None } else { self.orders.get(model) }
    }

    /// Whether a block has ended.
    pub(super) fn has_due(&self, now: Ms) -> bool {
        self.ends.first().is_some_and(|&(end, ..)| end <= now)
    }

    /// Forgets an account that stands at `rank`.
    pub(super) fn remove(&mut self, account: AccountId, rank: Option<Rank>) {
        self.shift(account, rank, None);
        self.ends.retain(|&(_, _, blocked)| blocked != account);
        self.by_model.retain(|_, accounts| {
            accounts.remove(&account);
            !accounts.is_empty()
        });
        self.orders.retain(|model, _| self.by_model.contains_key(model));
    }

    /// Takes out the first block that has ended.
    pub(super) fn pop_due(&mut self, now: Ms) -> Option<Ended> {
        if !self.has_due(now) {
            return None;
        }
        let (_, model, account) = self.ends.pop_first()?;
        let accounts = self.by_model.get_mut(&model)?;
        accounts.remove(&account);
        if accounts.is_empty() {
            self.by_model.remove(&model);
            self.orders.remove(&model);
        }
        Some(Ended { account, model })
    }

    /// Puts an account whose block has ended back into its model's order.
    pub(super) fn readmit(&mut self, rank: Option<Rank>, model: &str) {
        if let Some(order) = self.orders.get_mut(model) {
            order.extend(rank);
        }
    }

    /// Moves an account in the orders.
    pub(super) fn shift(&mut self, account: AccountId, old: Option<Rank>, new: Option<Rank>) {
        if old == new {
            return;
        }
        for (model, order) in &mut self.orders {
            let belongs = match old {
                Some(old) => order.remove(&old),
                None => !self.by_model.get(model).is_some_and(|all| all.contains_key(&account)),
            };
            if belongs {
                order.extend(new);
            }
        }
    }
}
