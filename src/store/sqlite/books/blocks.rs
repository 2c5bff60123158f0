//! Blocks of one model on some accounts of a family, each with its own end.
//!
//! A model that is blocked on many has an order of its own: the accounts less those, so
//! that a lease finds one without walking past them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::accounts::AccountId;

use super::Ms;
use super::family::{Rank, Spot};
use super::policies::Place;

/// So many blocks of a model are worth an order of its own.
const MANY: usize = 32;
/// So many models may have one: each is kept up with every lease.
const ORDERS: usize = 4;

/// A family's blocks.
#[derive(Default)]
pub(super) struct Blocks {
    by_model: HashMap<Box<str>, BTreeMap<AccountId, Ms>>,
    ends: BTreeSet<(Ms, Box<str>, AccountId)>,
    orders: HashMap<Box<str>, Order>,
}

/// The accounts that a model is not blocked on, as the family has them.
#[derive(Default)]
pub(super) struct Order {
    pub(super) ranks: BTreeSet<Rank>,
    pub(super) places: BTreeSet<Place>,
}

impl Order {
    /// Answers whether it was there.
    fn remove(&mut self, spot: Spot) -> bool {
        if let Some(place) = spot.place {
            self.places.remove(&place);
        }
        spot.rank.is_some_and(|rank| self.ranks.remove(&rank))
    }

    fn add(&mut self, spot: Spot) {
        self.ranks.extend(spot.rank);
        self.places.extend(spot.place);
    }
}

/// A block that has ended.
pub(super) struct Ended {
    pub(super) account: AccountId,
    pub(super) model: Box<str>,
}

impl Blocks {
    /// Blocks a model on an account that stands at `spot`, unless a longer block stands;
    /// answers whether it did. `ready` and `places` are the family's orders.
    pub(super) fn add(
        &mut self,
        account: AccountId,
        spot: Spot,
        model: &str,
        until: Ms,
        (ready, places): (&BTreeSet<Rank>, &BTreeSet<Place>),
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
            order.remove(spot);
        } else if accounts.len() >= MANY && self.orders.len() < ORDERS {
            let is_free = |account| !accounts.contains_key(&account);
            let ranks = ready.iter().copied().filter(|rank| is_free(rank.account));
            let places = places.iter().copied().filter(|place| is_free(place.account()));
            let order = Order { ranks: ranks.collect(), places: places.collect() };
            self.orders.insert(model.into(), order);
        }
        true
    }

    /// The blocks of one account.
    pub(super) fn on(&self, account: AccountId) -> Vec<(Box<str>, Ms)> {
        let all = self.by_model.iter();
        all.filter_map(|(model, on)| Some((model.clone(), *on.get(&account)?))).collect()
    }

    /// The blocks of one model, if any account has one.
    pub(super) fn of(&self, model: &str) -> Option<&BTreeMap<AccountId, Ms>> {
        if self.by_model.is_empty() { None } else { self.by_model.get(model) }
    }

    /// The orders of accounts for a model that is blocked on many.
    pub(super) fn order(&self, model: &str) -> Option<&Order> {
        if self.orders.is_empty() { None } else { self.orders.get(model) }
    }

    /// Whether a block has ended.
    pub(super) fn has_due(&self, now: Ms) -> bool {
        self.ends.first().is_some_and(|&(end, ..)| end <= now)
    }

    /// Forgets an account that stands at `spot`.
    pub(super) fn remove(&mut self, account: AccountId, spot: Spot) {
        self.shift(account, spot, Spot::default());
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
    pub(super) fn readmit(&mut self, spot: Spot, model: &str) {
        if let Some(order) = self.orders.get_mut(model) {
            order.add(spot);
        }
    }

    /// Moves an account in the orders.
    pub(super) fn shift(&mut self, account: AccountId, old: Spot, new: Spot) {
        if old == new {
            return;
        }
        for (model, order) in &mut self.orders {
            let belongs = match old.rank {
                Some(_) => order.remove(old),
                None => !self.by_model.get(model).is_some_and(|all| all.contains_key(&account)),
            };
            if belongs {
                order.add(new);
            }
        }
    }
}
