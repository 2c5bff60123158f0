//! A family: the accounts of one pool on one platform, in the order they are chosen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use crate::accounts::{AccountId, Health};

use super::{Entry, Ms};

/// An account's place in the order: most left, then fewest leases in flight, then
/// longest unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    rest: Reverse<i64>,
    open: u32,
    turn: i64,
    pub(super) account: AccountId,
}

impl Rank {
    /// Whether something is left that is not leased.
    pub(super) fn has_left(&self) -> bool {
        self.rest.0 > 0
    }
}

/// Where an account is found in its family. Each field is its entry in the set of
/// that name, so moving an account is a comparison of two standings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) ready: Option<Rank>,
    idle: Option<Rank>,
    leased_out: Option<AccountId>,
    timer: Option<(Ms, AccountId)>,
    resting: Option<(Ms, AccountId)>,
    stuck: Option<AccountId>,
}

impl Standing {
    /// When it returns by itself.
    pub(super) fn returns_at(&self) -> Option<Ms> {
        self.timer.map(|(at, _)| at)
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
    /// Those that rest for another reason than quota, by the end of their pause.
    pub(super) resting: BTreeSet<(Ms, AccountId)>,
    /// Those that need a person.
    pub(super) stuck: BTreeSet<AccountId>,
    blocks: HashMap<Box<str>, BTreeMap<AccountId, Ms>>,
}

impl Family {
    /// Moves an account to where it belongs.
    pub(super) fn stand(&mut self, entry: &mut Entry, now: Timestamp) {
        let standing = standing(entry, now);
        let old = std::mem::replace(&mut entry.standing, standing);
        shift(&mut self.ready, old.ready, standing.ready);
        shift(&mut self.idle, old.idle, standing.idle);
        shift(&mut self.leased_out, old.leased_out, standing.leased_out);
        shift(&mut self.timers, old.timer, standing.timer);
        shift(&mut self.resting, old.resting, standing.resting);
        shift(&mut self.stuck, old.stuck, standing.stuck);
    }

    /// Takes an account out.
    pub(super) fn remove(&mut self, entry: &Entry) {
        let (id, old) = (entry.id(), entry.standing);
        self.members.remove(&id);
        self.names.remove(&entry.fixed.name);
        shift(&mut self.ready, old.ready, None);
        shift(&mut self.idle, old.idle, None);
        shift(&mut self.leased_out, old.leased_out, None);
        shift(&mut self.timers, old.timer, None);
        shift(&mut self.resting, old.resting, None);
        shift(&mut self.stuck, old.stuck, None);
        self.blocks.retain(|_, accounts| {
            accounts.remove(&id);
            !accounts.is_empty()
        });
    }

    /// Whether time has something to do here.
    pub(super) fn has_due(&self, now: Ms) -> bool {
        !self.blocks.is_empty() || self.timers.first().is_some_and(|&(at, _)| at <= now)
    }

    /// Blocks a model on an account, unless a longer block stands.
    pub(super) fn block(&mut self, account: AccountId, model: &str, until: Ms) -> bool {
        let accounts = self.blocks.entry(model.into()).or_default();
        let longer = accounts.get(&account).is_none_or(|&end| end < until);
        if longer {
            accounts.insert(account, until);
        }
        longer
    }

    /// The blocks of one model, if any account has one.
    pub(super) fn blocks_of(&self, model: &str) -> Option<&BTreeMap<AccountId, Ms>> {
        if self.blocks.is_empty() { None } else { self.blocks.get(model) }
    }

    /// Forgets blocks that have ended; answers them.
    pub(super) fn unblock(&mut self, now: Ms) -> Vec<(AccountId, Box<str>)> {
        let mut ended = Vec::new();
        self.blocks.retain(|model, accounts| {
            accounts.retain(|&account, &mut until| {
                let open = until > now;
                if !open {
                    ended.push((account, model.clone()));
                }
                open
            });
            !accounts.is_empty()
        });
        ended
    }
}

fn standing(entry: &Entry, now: Timestamp) -> Standing {
    let id = entry.id();
    match &entry.health {
        Health::Cooling { until, out_of_quota, .. } if *until > now => {
            let end = (until.as_millisecond(), id);
            Standing {
                timer: Some(end),
                resting: (!out_of_quota).then_some(end),
                ..Standing::default()
            }
        }
        Health::Active | Health::Cooling { .. } => ready(entry),
        _ => Standing { stuck: Some(id), ..Standing::default() },
    }
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
