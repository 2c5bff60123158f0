//! A family: the accounts of one pool on one platform, in the order they are chosen.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;

use crate::accounts::{AccountId, Health, Policy};

use super::bindings::Bindings;
use super::blocks::Blocks;
use super::policies::Place;
use super::{Entry, Ms};

/// An account's place in the order: most left, then fewest leases in flight, then
/// longest unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) rest: Reverse<i64>,
    pub(super) open: u32,
    pub(super) turn: i64,
    pub(super) account: AccountId,
}

impl Rank {
    /// Whether something is left that is not leased.
    pub(super) fn has_left(&self) -> bool {
        self.rest.0 > 0
    }

    /// Whether that is so, and nobody uses the account.
    pub(super) fn is_idle(&self) -> bool {
        self.open == 0 && self.has_left()
    }
}

/// An account's places in the orders that it is picked from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spot {
    /// By most left.
    pub(super) rank: Option<Rank>,
    /// By its pool's policy.
    pub(super) place: Option<Place>,
}

/// Where an account is found in its family. Each field is its entry in the set of
/// that name, so moving an account is a comparison of two standings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) ready: Option<Rank>,
    place: Option<Place>,
    idle: Option<Rank>,
    leased_out: Option<AccountId>,
    timer: Option<(Ms, AccountId)>,
    early: Option<(Ms, AccountId)>,
    resting: Option<(Ms, AccountId)>,
    stuck: Option<AccountId>,
}

impl Standing {
    /// Its places in the orders.
    pub(super) fn spot(&self) -> Spot {
        Spot { rank: self.ready, place: self.place }
    }

    /// When it returns by itself.
    pub(super) fn returns_at(&self) -> Option<Ms> {
        self.timer.map(|(at, _)| at)
    }

    /// Whether something is left, all of it leased.
    pub(super) fn is_leased_out(&self) -> bool {
        self.leased_out.is_some()
    }

    /// Whether it needs a person.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck.is_some()
    }
}

/// The accounts of one pool on one platform.
#[derive(Default)]
pub(super) struct Family {
    pub(super) members: BTreeSet<AccountId>,
    pub(super) names: HashSet<String>,
    /// Those that may be leased, the best first.
    ///
    /// A window that has ended since an account was last looked at makes its rank too
    /// low, never too high; its timer brings it to its place.
    pub(super) ready: BTreeSet<Rank>,
    /// Of the ready, those with something left and no open lease.
    pub(super) idle: BTreeSet<Rank>,
    /// Of the ready, those with something left, all of it leased.
    pub(super) leased_out: BTreeSet<AccountId>,
    /// When an account's place changes by itself: a window or a pause ends.
    pub(super) timers: BTreeSet<(Ms, AccountId)>,
    /// When a spent account is tried though its reset has not come.
    pub(super) early: BTreeSet<(Ms, AccountId)>,
    /// Those that rest for another reason than quota, by the end of their pause.
    pub(super) resting: BTreeSet<(Ms, AccountId)>,
    /// Those that need a person.
    pub(super) stuck: BTreeSet<AccountId>,
    /// Of the ready, those with something left, in the order of the pool's policy.
    pub(super) places: BTreeSet<Place>,
    pub(super) policy: Policy,
    pub(super) bindings: Bindings,
    pub(super) blocks: Blocks,
}

impl Family {
    /// Moves an account to where it belongs.
    pub(super) fn stand(&mut self, entry: &mut Entry, now: Timestamp) {
        let mut standing = standing(entry, now);
        standing.place =
            standing.ready.and_then(|rank| Place::of(self.policy, entry.priority, rank));
        let old = std::mem::replace(&mut entry.standing, standing);
        shift(&mut self.ready, old.ready, standing.ready);
        shift(&mut self.places, old.place, standing.place);
        self.blocks.shift(entry.id(), old.spot(), standing.spot());
        shift(&mut self.idle, old.idle, standing.idle);
        shift(&mut self.leased_out, old.leased_out, standing.leased_out);
        shift(&mut self.timers, old.timer, standing.timer);
        shift(&mut self.early, old.early, standing.early);
        shift(&mut self.resting, old.resting, standing.resting);
        shift(&mut self.stuck, old.stuck, standing.stuck);
    }

    /// Takes an account out.
    pub(super) fn remove(&mut self, entry: &Entry) {
        let (id, old) = (entry.id(), entry.standing);
        self.members.remove(&id);
        self.names.remove(&entry.fixed.name);
        shift(&mut self.ready, old.ready, None);
        shift(&mut self.places, old.place, None);
        shift(&mut self.idle, old.idle, None);
        shift(&mut self.leased_out, old.leased_out, None);
        shift(&mut self.timers, old.timer, None);
        shift(&mut self.early, old.early, None);
        shift(&mut self.resting, old.resting, None);
        shift(&mut self.stuck, old.stuck, None);
        self.blocks.remove(id, old.spot());
    }

    /// Whether time has something to do here.
    pub(super) fn has_due(&self, now: Ms) -> bool {
        self.blocks.has_due(now) || self.first_due(now).is_some()
    }

    /// The first account that time has something to do for.
    pub(super) fn first_due(&self, now: Ms) -> Option<AccountId> {
        let firsts = [self.timers.first(), self.early.first()];
        firsts.into_iter().flatten().find(|&&(at, _)| at <= now).map(|&(_, id)| id)
    }
}

fn standing(entry: &Entry, now: Timestamp) -> Standing {
    let id = entry.id();
    let health = &entry.condition.health;
    match health {
        _ if health.is_ready(now) => ready(entry),
        Health::Cooling { .. } if health.is_on_trial(now) => on_trial(entry),
        Health::Cooling { until, out_of_quota, tries_at, .. } => {
            let at = |instant: Timestamp| (instant.as_millisecond(), id);
            Standing {
                timer: Some(at(*until)),
                early: health.announced_end().and(*tries_at).map(at),
                resting: (!out_of_quota).then_some(at(*until)),
                ..Standing::default()
            }
        }
        _ => Standing { stuck: Some(id), ..Standing::default() },
    }
}

/// While one request tries an account, it is to others as one whose tokens are all leased.
fn on_trial(entry: &Entry) -> Standing {
    let mut ready = ready(entry);
    let end = entry.condition.health.announced_end().map(|end| (end.as_millisecond(), entry.id()));
    ready.timer = ready.timer.into_iter().chain(end).min();
    if entry.condition.trial.is_none() {
        return ready;
    }
    let has_left = entry.left().is_none_or(|left| left > 0);
    Standing { ready: None, idle: None, leased_out: has_left.then_some(entry.id()), ..ready }
}

fn ready(entry: &Entry) -> Standing {
    let account = entry.id();
    let remaining = entry.remaining();
    let rest = remaining.unwrap_or(i64::MAX);
    let rank = Rank { rest: Reverse(rest), open: entry.open, turn: entry.turn, account };
    Standing {
        ready: Some(rank),
        idle: (entry.open == 0 && rest > 0).then_some(rank),
        leased_out: (rest <= 0 && entry.left() > Some(0)).then_some(account),
        timer: entry.next_reset().map(|at| (at, account)),
        ..Standing::default()
    }
}

fn shift<T: Ord>(set: &mut BTreeSet<T>, old: Option<T>, new: Option<T>) {
    if old == new {
        return;
    }
    if let Some(old) = old {
        set.remove(&old);
    }
    set.extend(new);
}
