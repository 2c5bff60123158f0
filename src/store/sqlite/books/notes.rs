//! What a verb changed: the rows that the writer commits.
//!
//! A lease and a charge are rows at the end of a table. What follows from them (what is
//! used of windows, which leases are open no more) is folded into its place once a
//! sweep; until then it follows from the charges since the last fold, and is replayed
//! after a crash. So a commit touches a handful of pages, however many accounts there
//! are.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::accounts::{
    Account, AccountId, AuditRow, Condition, GatewayTokenRow, Identity, KeptRow, LeaseId, LinkRow,
    Policy, PoolId, Priority, Record, SessionRow, TokenId, User, UserId, Window,
};

use super::super::notices::BoardNote;
use super::{Books, Charged, Counter, Entry, Ms, OpenLease, PurseNote, TeamNote};

/// One changed row.
pub(in super::super) enum Note {
    Counter(Counter, i64),
    User(User),
    /// What a user may do, and what it signs in with.
    Identity(UserId, Identity),
    /// A session by its index; `None`: it is gone.
    Session(String, Option<SessionRow>),
    /// A one-time link by its purpose; `None`: it is used up.
    Link(String, Option<LinkRow>),
    Token(Arc<GatewayTokenRow>),
    Revoked(Arc<GatewayTokenRow>),
    /// It has another index, grant or name.
    Reindexed(Arc<GatewayTokenRow>),
    Used(TokenId, Timestamp),
    Canary(String),
    NoCanary(String),
    /// How often a key of the ring has sealed.
    Seals(Box<str>, u64),
    Account(Arc<Account>),
    /// Its fixed part has another name, short-lived key or wrapping.
    Changed(Arc<Account>),
    /// It is in another pool, sealed for it.
    Moved(Arc<Account>),
    Removed(AccountId),
    Priority(AccountId, Priority),
    /// A pool's own policy; `None`: it has none any more.
    Policy(PoolId, Option<Policy>),
    /// A change of the notices.
    Board(BoardNote),
    /// A row of the audit log.
    Audit(Box<AuditRow>),
    Condition(AccountId, Condition),
    Windows(AccountId, Vec<Window>),
    Block {
        account: AccountId,
        model: Box<str>,
        until: Ms,
    },
    Unblock {
        account: AccountId,
        model: Box<str>,
    },
    Leased {
        id: LeaseId,
        lease: OpenLease,
    },
    Renewed {
        row: i64,
        deadline: Ms,
    },
    Charged(Charged),
    /// A call's record, and which of its accounts are gone.
    Record(Record, Vec<AccountId>),
    /// Kept bodies are sealed anew that this key has sealed.
    Resealed(Box<str>, KeptRow),
    Purse(PurseNote),
    Team(TeamNote),
    /// It is time to delete what is too old.
    Forget {
        now: Ms,
    },
}

/// What follows from charges, and is therefore written now and then: however often an
/// account moved since the last fold, it is written once, in the order of the file.
pub(in super::super) struct Fold {
    pub(in super::super) motions: Vec<Motion>,
    /// Rows of leases that have ended, ascending.
    pub(in super::super) ended: Vec<i64>,
}

/// An account's counts.
pub(in super::super) struct Motion {
    pub(in super::super) account: AccountId,
    pub(in super::super) last_used_at: Option<Ms>,
    /// The row of its last lease.
    pub(in super::super) turn: i64,
    /// What is used of each window, when it ends, and whether that was told.
    pub(in super::super) windows: Vec<(i64, Option<Ms>, bool)>,
}

/// Everything that changed, in order.
#[derive(Default)]
pub(in super::super) struct Notes {
    pub(in super::super) rows: Vec<Note>,
    pub(in super::super) fold: Option<Fold>,
}

impl Notes {
    pub(in super::super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.fold.is_none()
    }
}

/// What the next fold will write.
#[derive(Default)]
pub(super) struct Unfolded {
    moved: Vec<AccountId>,
    ended: Vec<i64>,
    due: bool,
}

/// So much is folded without waiting for a sweep: it would be replayed after a crash.
const MOST: usize = 50_000;

impl Books {
    /// What changed since the last call. With [`Folding::Now`], also what is unfolded.
    pub(in super::super) fn take_notes(&mut self, folding: Folding) -> Notes {
        let rows = std::mem::take(&mut self.rows);
        let due = self.unfolded.due || self.unfolded.ended.len() >= MOST;
        let fold = due || (folding == Folding::Now && self.is_unfolded());
        Notes { rows, fold: fold.then(|| self.fold()) }
    }

    /// Notes a changed row.
    pub(in super::super) fn note(&mut self, note: Note) {
        self.rows.push(note);
    }

    pub(in super::super) fn has_notes(&self) -> bool {
        !self.rows.is_empty() || self.unfolded.due
    }

    pub(in super::super) fn is_unfolded(&self) -> bool {
        !self.unfolded.moved.is_empty() || !self.unfolded.ended.is_empty()
    }

    /// Lets the next commit fold.
    pub(super) fn let_fold(&mut self) {
        self.unfolded.due = self.is_unfolded();
    }

    /// A lease's row that the next fold deletes.
    pub(in super::super) fn place_ended(&mut self, row: i64) {
        self.last_lease = self.last_lease.max(row);
        self.unfolded.ended.push(row);
    }

    /// Rows of leases that have ended and wait for the next fold.
    pub(in super::super) fn ended_rows(&self) -> HashSet<i64> {
        self.unfolded.ended.iter().copied().collect()
    }

    fn fold(&mut self) -> Fold {
        let Unfolded { mut moved, mut ended, .. } = std::mem::take(&mut self.unfolded);
        moved.sort_unstable();
        ended.sort_unstable();
        let mut motions = Vec::with_capacity(moved.len());
        for id in moved {
            if let Some(entry) = self.accounts.get_mut(&id) {
                entry.noted = false;
                motions.push(entry.motion());
            }
        }
        Fold { motions, ended }
    }
}

impl Unfolded {
    /// Notes that an account's counts moved.
    pub(super) fn moved(&mut self, entry: &mut Entry) {
        if !entry.noted {
            entry.noted = true;
            self.moved.push(entry.fixed.id);
        }
    }
}

/// Whether notes are taken with what is unfolded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Folding {
    /// The desk closes.
    Now,
    /// When a sweep asked for it.
    WhenDue,
}
