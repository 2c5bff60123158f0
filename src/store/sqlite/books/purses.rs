//! Purses in the books: balances of points, days' budgets, and what is held of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use crate::accounts::{
    ChargeKind, EntryKind, HoldAsk, HoldEnd, HoldKey, HoldRefusal, LeaseId, Points, Purse,
    PurseState, TokenId, UserId,
};

use super::settle::LATE;
use super::{Books, Ms, Note};

const DAY_MS: Ms = 24 * 3600 * 1000;

/// A purse's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) enum PurseId {
    Points(UserId),
    Budget(TokenId),
}

impl From<&Purse> for PurseId {
    fn from(purse: &Purse) -> Self {
        match purse {
            Purse::Points(user) => Self::Points(*user),
            Purse::Budget { token, .. } => Self::Budget(*token),
        }
    }
}

/// A purse: what is in it, and what is held of it.
#[derive(Clone, Copy, Debug, Default)]
struct Contents {
    /// A balance; of a budget, the day's use below zero.
    value: i64,
    held: i64,
    open: u32,
    /// The end of a budget's day.
    ends: Ms,
}

/// A hold that has not ended, or whose estimate a late figure may yet replace.
#[derive(Clone, Debug)]
pub(in super::super) struct Held {
    pub(in super::super) purse: PurseId,
    pub(in super::super) estimate: i64,
    pub(in super::super) note: Arc<str>,
    pub(in super::super) state: HoldState,
    /// When it is charged, or forgotten.
    pub(in super::super) due: Ms,
}

/// Where a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum HoldState {
    /// So much is set aside.
    Open(i64),
    /// Its estimate was charged, in the day that ends then.
    Charged(Ms),
}

/// What changed of purses.
pub(in super::super) enum PurseNote {
    Held(LeaseId, Held),
    Renewed(LeaseId, Ms),
    Gone(LeaseId),
    /// A token's use of the day that ends then.
    Budget(TokenId, i64, Ms),
    Entry(Entry),
}

/// A ledger's new entry.
pub(in super::super) struct Entry {
    pub(in super::super) user: UserId,
    pub(in super::super) at: Ms,
    pub(in super::super) kind: EntryKind,
    pub(in super::super) points: i64,
    pub(in super::super) balance: i64,
    pub(in super::super) hold: Option<LeaseId>,
    pub(in super::super) note: Arc<str>,
}

#[derive(Default)]
pub(in super::super) struct Purses {
    contents: HashMap<PurseId, Contents>,
    holds: HashMap<LeaseId, Held>,
    due: BTreeSet<(Ms, LeaseId)>,
}

impl Purses {
    /// Puts back what a purse held when the file was last written.
    pub(in super::super) fn place(&mut self, purse: PurseId, value: i64, ends: Ms) {
        let contents = self.contents.entry(purse).or_default();
        (contents.value, contents.ends) = (value, ends);
    }

    /// Puts back a hold.
    pub(in super::super) fn place_hold(&mut self, id: LeaseId, held: Held) {
        if let HoldState::Open(amount) = held.state {
            let contents = self.contents.entry(held.purse).or_default();
            contents.held += amount;
            contents.open += 1;
        }
        self.due.insert((held.due, id));
        self.holds.insert(id, held);
    }

    /// A purse as it is at `now`: a budget's day may have ended.
    fn rolled(&mut self, purse: PurseId, now: Ms) -> &mut Contents {
        let contents = self.contents.entry(purse).or_default();
        if matches!(purse, PurseId::Budget(_)) && contents.ends <= now {
            contents.value = 0;
            contents.ends = (now.div_euclid(DAY_MS) + 1) * DAY_MS;
        }
        contents
    }

    fn take(&mut self, id: LeaseId) -> Option<Held> {
        let held = self.holds.remove(&id)?;
        self.due.remove(&(held.due, id));
        if let HoldState::Open(amount) = held.state {
            let contents = self.contents.entry(held.purse).or_default();
            contents.held -= amount;
            contents.open = contents.open.saturating_sub(1);
        }
        Some(held)
    }
}

impl Books {
    pub(in super::super) fn hold(
        &mut self,
        ask: &HoldAsk<'_>,
        now: Timestamp,
        due: Ms,
    ) -> Result<Timestamp, HoldRefusal> {
        let HoldAsk { key, most } = *ask;
        match self.purses.holds.get(&key.id).map(|held| held.state) {
            None => {}
            Some(HoldState::Open(_)) => return Ok(now),
            Some(HoldState::Charged(_)) => return Err(HoldRefusal::Busy),
        }
        let purse = PurseId::from(&key.purse);
        let contents = *self.purses.rolled(purse, now.as_millisecond());
        let left = limit(&key.purse).saturating_add(contents.value) - contents.held;
        let most = amount(most);
        let taken = if left >= most {
            most
        } else if contents.open > 0 {
            return Err(HoldRefusal::Busy);
        } else if left > 0 {
            left
        } else {
            return Err(HoldRefusal::Empty { resets_at: instant(contents.ends) });
        };
        let held = Held {
            purse,
            estimate: amount(key.estimate),
            note: key.note.clone(),
            state: HoldState::Open(taken),
            due,
        };
        self.rows.push(Note::Purse(PurseNote::Held(key.id, held.clone())));
        self.purses.place_hold(key.id, held);
        Ok(now)
    }

    pub(in super::super) fn end_hold(&mut self, end: &HoldEnd, now: Timestamp) {
        let id = end.hold.id;
        let exact = end.kind == ChargeKind::Exact;
        let Some(held) = self.purses.holds.get(&id) else { return };
        let (charge, replaced) = match held.state {
            HoldState::Open(_) => (EntryKind::of(end.kind), 0),
            // It ended by its deadline: only the platform's figure is better.
            HoldState::Charged(_) if exact => (Some(EntryKind::Correction), held.estimate),
            HoldState::Charged(_) => return,
        };
        let Some(held) = self.purses.take(id) else { return };
        self.rows.push(Note::Purse(PurseNote::Gone(id)));
        let Some(kind) = charge else { return };
        let ends = self.purses.rolled(held.purse, now.as_millisecond()).ends;
        if matches!(held.state, HoldState::Charged(day) if day != ends) {
            return; // The day that it was charged to is over.
        }
        self.spend(id, &held, kind, amount(end.amount) - replaced, now);
    }

    /// Gives back a hold whose answer nobody waited for.
    pub(in super::super) fn give_back_hold(&mut self, id: LeaseId) {
        if self.purses.take(id).is_some() {
            self.rows.push(Note::Purse(PurseNote::Gone(id)));
        }
    }

    pub(in super::super) fn renew_holds(&mut self, keys: &[HoldKey], due: Ms) {
        for key in keys {
            let Some(held) = self.purses.holds.get_mut(&key.id) else { continue };
            if matches!(held.state, HoldState::Open(_)) {
                self.purses.due.remove(&(held.due, key.id));
                held.due = due;
                self.purses.due.insert((due, key.id));
                self.rows.push(Note::Purse(PurseNote::Renewed(key.id, due)));
            }
        }
    }

    /// Charges the estimates of holds past their deadline, and forgets those for which no
    /// figure came in time.
    pub(in super::super) fn sweep_holds(&mut self, now: Timestamp) {
        let now_ms = now.as_millisecond();
        while let Some(&(due, id)) = self.purses.due.first()
            && due <= now_ms
        {
            let Some(mut held) = self.purses.take(id) else {
                self.purses.due.pop_first();
                continue;
            };
            if matches!(held.state, HoldState::Charged(_)) {
                self.rows.push(Note::Purse(PurseNote::Gone(id)));
                continue;
            }
            let ends = self.purses.rolled(held.purse, now_ms).ends;
            // A day that is over since the deadline has no use for it.
            if ends == 0 || due >= ends - DAY_MS {
                self.spend(id, &held, EntryKind::Estimated, held.estimate, now);
            }
            held.state = HoldState::Charged(ends);
            held.due = due.saturating_add(i64::try_from(LATE.as_millis()).unwrap_or(Ms::MAX));
            self.rows.push(Note::Purse(PurseNote::Held(id, held.clone())));
            self.purses.place_hold(id, held);
        }
    }

    pub(in super::super) fn grant_points(
        &mut self,
        user: UserId,
        points: Points,
        note: &str,
        now: Timestamp,
    ) -> Option<Points> {
        let contents = self.purses.contents.entry(PurseId::Points(user)).or_default();
        let balance = contents.value.saturating_add(points.0);
        let is_short = points < Points::ZERO && balance < contents.held;
        if is_short || balance > Points::MOST.0 {
            return None;
        }
        contents.value = balance;
        self.rows.push(Note::Purse(PurseNote::Entry(Entry {
            user,
            at: now.as_millisecond(),
            kind: EntryKind::Grant,
            points: points.0,
            balance,
            hold: None,
            note: note.into(),
        })));
        Some(Points(balance))
    }

    /// A purse as it is shown.
    pub(in super::super) fn purse(&mut self, purse: &Purse, now: Timestamp) -> PurseState {
        let contents = *self.purses.rolled(purse.into(), now.as_millisecond());
        PurseState {
            left: limit(purse).saturating_add(contents.value),
            held: contents.held.unsigned_abs(),
            resets_at: instant(contents.ends),
        }
    }

    fn spend(&mut self, id: LeaseId, held: &Held, kind: EntryKind, amount: i64, now: Timestamp) {
        let contents = self.purses.rolled(held.purse, now.as_millisecond());
        contents.value = contents.value.saturating_sub(amount);
        let note = match held.purse {
            PurseId::Budget(token) => PurseNote::Budget(token, contents.value, contents.ends),
            PurseId::Points(user) => PurseNote::Entry(Entry {
                user,
                at: now.as_millisecond(),
                kind,
                points: -amount,
                balance: contents.value,
                hold: Some(id),
                note: held.note.clone(),
            }),
        };
        self.rows.push(Note::Purse(note));
    }
}

/// What a full budget has more than its value says.
fn limit(purse: &Purse) -> i64 {
    match purse {
        Purse::Points(_) => 0,
        Purse::Budget { limit, .. } => amount(limit.0),
    }
}

/// An amount as every store counts it exactly.
fn amount(amount: u64) -> i64 {
    amount.min(Points::MOST.0.unsigned_abs()).cast_signed()
}

fn instant(ms: Ms) -> Option<Timestamp> {
    if ms == 0 { None } else { Timestamp::from_millisecond(ms).ok() }
}
