//! Which account gets a lease, and why none does.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::accounts::{AccountId, LeaseAsk, Policy, Refusal};

use super::family::{Family, Rank};
use super::{Books, Ms, policies};

/// What an account must be to be chosen for one request.
struct Sieve<'a> {
    ask: &'a LeaseAsk<'a>,
    blocks: Option<&'a BTreeMap<AccountId, Ms>>,
    now: Ms,
}

impl Sieve<'_> {
    /// Not tried already, and the pinned one if one is pinned.
    fn allows(&self, id: AccountId) -> bool {
        self.ask.only.is_none_or(|only| only == id) && !self.ask.except.contains(&id)
    }

    /// The end of a block of this model on the account.
    fn blocked_until(&self, id: AccountId) -> Option<Ms> {
        self.blocks?.get(&id).copied().filter(|&until| until > self.now)
    }

    fn takes(&self, id: AccountId) -> bool {
        self.allows(id) && self.blocked_until(id).is_none()
    }
}

impl Books {
    fn sieve<'a>(
        &'a self,
        ask: &'a LeaseAsk<'a>,
        now: Timestamp,
    ) -> Option<(Sieve<'a>, &'a Family)> {
        let family = self.pools.get(&ask.pool)?.get(ask.platform)?;
        let blocks = family.blocks.of(ask.model);
        Some((Sieve { ask, blocks, now: now.as_millisecond() }, family))
    }

    /// The account that the pool's policy picks, if the request fits; else the one with the
    /// most left, if it fits there.
    pub(super) fn best_that_fits(
        &mut self,
        ask: &LeaseAsk<'_>,
        now: Timestamp,
    ) -> Option<AccountId> {
        let picked = match self.policy(ask.pool) {
            _ if ask.only.is_some() => None,
            Policy::MostRemaining => None,
            Policy::Sticky => self.bound(ask, now),
            Policy::Priority | Policy::RoundRobin => self.picked(ask, now),
        };
        let fits = picked.and_then(|id| self.if_it_fits(id, ask, now));
        fits.or_else(|| self.if_it_fits(self.first(ask, now)?, ask, now))
    }

    /// The account that the request's conversation is on, if it may be leased.
    fn bound(&self, ask: &LeaseAsk<'_>, now: Timestamp) -> Option<AccountId> {
        let (sieve, family) = self.sieve(ask, now)?;
        let account = family.bindings.find(ask.conversation?, sieve.now)?;
        let entry = self.accounts.get(&account).filter(|entry| sieve.takes(entry.id()))?;
        entry.standing.spot().rank.map(|rank| rank.account)
    }

    /// The account that the policy's own order picks.
    fn picked(&self, ask: &LeaseAsk<'_>, now: Timestamp) -> Option<AccountId> {
        let (sieve, family) = self.sieve(ask, now)?;
        let order = family.blocks.order(ask.model).map_or(&family.places, |order| &order.places);
        policies::pick(family.policy, order, ask.estimate.signed(), |id| sieve.takes(id))
    }

    /// The account with the most left, or the pinned one.
    fn first(&self, ask: &LeaseAsk<'_>, now: Timestamp) -> Option<AccountId> {
        let (sieve, family) = self.sieve(ask, now)?;
        let first = match ask.only {
            Some(_) => self.pinned(&sieve, family)?,
            None => {
                let order = family.blocks.order(ask.model);
                let order = order.map_or(&family.ready, |order| &order.ranks);
                order.iter().find(|rank| sieve.takes(rank.account))?
            }
        };
        Some(first.account)
    }

    fn if_it_fits(
        &mut self,
        id: AccountId,
        ask: &LeaseAsk<'_>,
        now: Timestamp,
    ) -> Option<AccountId> {
        let entry = self.accounts.get_mut(&id)?;
        // A window may have ended since the account was ranked.
        entry.roll(now, ask.resets);
        let fits = entry.remaining().is_none_or(|rest| ask.estimate.signed() <= rest);
        fits.then(|| entry.id())
    }

    /// The account with the most left of those that nobody uses: one request may overdraw
    /// it. Called with every timer handled.
    pub(super) fn lone(&self, ask: &LeaseAsk<'_>, now: Timestamp) -> Option<AccountId> {
        let (sieve, family) = self.sieve(ask, now)?;
        let lone = match ask.only {
            Some(_) => self.pinned(&sieve, family).filter(|rank| family.idle.contains(rank)),
            None => match family.blocks.order(ask.model) {
                Some(order) => {
                    order.ranks.iter().find(|rank| rank.is_idle() && sieve.takes(rank.account))
                }
                None => family.idle.iter().find(|rank| sieve.takes(rank.account)),
            },
        };
        lone.map(|rank| rank.account)
    }

    /// The pinned account, if it may be leased.
    fn pinned<'a>(&self, sieve: &Sieve<'_>, family: &'a Family) -> Option<&'a Rank> {
        let pin = self.accounts.get(&sieve.ask.only?).filter(|entry| sieve.takes(entry.id()))?;
        family.ready.get(&pin.standing.ready?)
    }

    /// How many accounts were ready, less those that this request has tried.
    pub(super) fn candidates(&self, ask: &LeaseAsk<'_>) -> Option<u32> {
        if ask.only.is_some() {
            return Some(1);
        }
        let family = self.pools.get(&ask.pool)?.get(ask.platform)?;
        let ready = |id: &&AccountId| {
            let entry = self.accounts.get(id).filter(|_| family.members.contains(id));
            entry.is_some_and(|entry| entry.standing.ready.is_some())
        };
        let tried: BTreeSet<&AccountId> = ask.except.iter().filter(ready).collect();
        u32::try_from(family.ready.len().saturating_sub(tried.len())).ok()
    }

    /// Why nothing was chosen. Called with every timer handled.
    ///
    /// Tokens that are only leased come back soonest, so *busy* comes first. An account
    /// that rests for another reason than quota makes the whole answer *cooling*: its
    /// caller may be served without any reset, and a client must not take the short
    /// pause for a spent quota. The instant is the first at which anything returns.
    pub(super) fn refusal(&self, ask: &LeaseAsk<'_>, now: Timestamp) -> Refusal {
        let Some((sieve, family)) = self.sieve(ask, now) else { return Refusal::NoAccount };
        let first = match (ask.only, &sieve.blocks) {
            (None, None) => first_of(family, &sieve),
            _ => self.first_by_account(family, &sieve),
        };
        let First { busy, returns, ready } = first;
        if busy {
            return Refusal::Busy;
        }
        let resting = family.resting.iter().any(|&(_, id)| sieve.allows(id));
        let instant = |ms| Timestamp::from_millisecond(ms).ok();
        match returns.and_then(instant) {
            Some(until) if resting => return Refusal::Cooling { until },
            resets_at if ready || resets_at.is_some() => return Refusal::Exhausted { resets_at },
            _ => {}
        }
        let stuck = family.stuck.iter().find(|&&id| sieve.allows(id));
        match stuck.and_then(|id| self.accounts.get(id)) {
            Some(entry) => Refusal::Unauthorized {
                account: entry.id(),
                status: entry.condition.health.status(),
            },
            None => Refusal::NoAccount,
        }
    }

    /// As [`first_of`], by a look at each account: for a pin, and for a model that is
    /// blocked on some, whose blocks end at their own times.
    fn first_by_account(&self, family: &Family, sieve: &Sieve<'_>) -> First {
        let mut first = First::default();
        let pin = sieve.ask.only.into_iter().filter(|id| family.members.contains(id));
        let all = family.members.iter().copied().filter(|_| sieve.ask.only.is_none());
        for entry in pin.chain(all).filter_map(|id| self.accounts.get(&id)) {
            let id = entry.id();
            if !sieve.allows(id) || entry.standing.is_stuck() {
                continue;
            }
            let blocked = sieve.blocked_until(id);
            let is_ready = entry.standing.ready.is_some();
            first.ready |= is_ready;
            let has_left = entry.has_left();
            first.busy |= has_left && blocked.is_none();
            // One whose model is blocked until after its reset returns with the later.
            let own = if has_left { None } else { entry.standing.returns_at() };
            let returns = if has_left || own.is_some() { own.max(blocked) } else { None };
            first.returns = first.returns.into_iter().chain(returns).min();
        }
        first
    }
}

/// What decides a refusal.
#[derive(Default)]
struct First {
    /// A ready account has something left.
    busy: bool,
    /// When the first account returns.
    returns: Option<Ms>,
    /// Some account is ready, though empty.
    ready: bool,
}

/// Reads it off the family's sets: each look skips at most the accounts tried already.
fn first_of(family: &Family, sieve: &Sieve<'_>) -> First {
    let best = family.ready.iter().find(|rank| sieve.allows(rank.account));
    let leased_out = family.leased_out.iter().any(|&id| sieve.allows(id));
    // With nothing left anywhere, each timer is the instant at which its account returns.
    let timer = family.timers.iter().find(|&&(_, id)| sieve.allows(id));
    First {
        busy: leased_out || best.is_some_and(|rank| rank.has_left()),
        returns: timer.map(|&(at, _)| at),
        ready: best.is_some(),
    }
}
