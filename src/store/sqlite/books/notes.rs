//! What a verb changed: the rows that the writer commits.
//!
//! Leases, their renewals and charges are lines of the commit's row in the journal. What
//! follows from them (what is used of windows, which leases are open, which estimates may
//! still be replaced) is folded into its place once a sweep; until then it follows from the
//! journal, and is replayed after a crash. So a commit touches a handful of pages, however
//! many accounts there are, and a lease that ends before the fold is never a row.

use std::sync::Arc;

use jiff::Timestamp;

use crate::accounts::{
    Account, AccountId, AuditRow, Condition, GatewayTokenRow, Identity, KeptRow, LeaseId, LinkRow,
    PlatformId, Policy, PoolId, Priority, Record, SessionRow, TokenId, User, UserId, Window,
};

use super::super::notices::BoardNote;
use super::{Books, Charged, Counter, Entry, Estimate, Ms, OpenLease, PurseNote, TeamNote};

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
    /// An account, and whose its open leases are.
    Removed(AccountId, AccountId),
    Nobody(AccountId, PoolId, PlatformId),
    /// Somebody waits for what a removed account has to go.
    Leaving,
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
        id: LeaseId,
        deadline: Ms,
    },
    Charged(Charged),
    /// A call's record, and which of its accounts are gone.
    Record(Arc<Record>, Vec<AccountId>),
    /// Kept bodies are sealed anew that this key has sealed.
    Resealed(Box<str>, KeptRow),
    Purse(PurseNote),
    Team(TeamNote),
    /// It is time to delete what is too old.
    Forget {
        now: Ms,
    },
}

/// What follows from the journal, and is therefore written now and then: however often an
/// account moved since the last fold, it is written once, in the order of the file.
pub(in super::super) struct Fold {
    pub(in super::super) motions: Vec<Motion>,
    /// Rows of leases that have ended and were open at the last fold, ascending.
    pub(in super::super) ended: Vec<i64>,
    /// Leases granted or renewed since then that are open.
    pub(in super::super) open: Vec<(LeaseId, OpenLease)>,
    /// Estimates that may be replaced, from now on or (`None`) no more.
    pub(in super::super) estimates: Vec<(LeaseId, Option<Estimate>)>,
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
    /// Leases that were renewed.
    renewed: Vec<LeaseId>,
    /// Estimates that came or went.
    estimates: Vec<LeaseId>,
    /// How many lines the journal has, and records are in no list.
    lines: usize,
    /// Leases up to this row are in the file's own table, if they are open.
    written: i64,
    due: bool,
}

/// So much is folded without waiting for a sweep: it would be replayed after a crash.
const MOST: usize = 100_000;

impl Books {
    /// What changed since the last call. With [`Folding::Now`], also what is unfolded. The next
    /// notes go to `spare`, which is empty.
    pub(in super::super) fn take_notes(&mut self, folding: Folding, spare: Vec<Note>) -> Notes {
        let rows = std::mem::replace(&mut self.rows, spare);
        self.unfolded.lines += rows.iter().filter(|note| note.is_folded()).count();
        let due = std::mem::take(&mut self.unfolded.due) || self.unfolded.lines >= MOST;
        let fold = (due || folding == Folding::Now) && self.is_unfolded();
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
        let Unfolded { moved, estimates, lines, .. } = &self.unfolded;
        *lines > 0 || !moved.is_empty() || !estimates.is_empty()
    }

    /// Lets the next commit fold.
    pub(in super::super) fn let_fold(&mut self) {
        self.unfolded.due = true;
    }

    /// A lease that the next fold writes anew, if it is open then.
    pub(super) fn renewed(&mut self, id: LeaseId) {
        self.unfolded.renewed.push(id);
    }

    /// A lease that has ended: the next fold deletes its row, if it has one.
    pub(super) fn ended(&mut self, row: i64) {
        if row <= self.unfolded.written {
            self.unfolded.ended.push(row);
        }
    }

    /// An estimate that the next fold writes or deletes.
    pub(super) fn moved_estimate(&mut self, id: LeaseId) {
        self.unfolded.estimates.push(id);
    }

    /// What was placed up to here is as the file's tables have it.
    pub(in super::super) fn begin_replay(&mut self) {
        // Accounts that were used since the fold are noted, and stay so.
        let moved = std::mem::take(&mut self.unfolded.moved);
        self.unfolded = Unfolded { moved, written: self.last_lease, ..Unfolded::default() };
    }

    /// So many lines were replayed.
    pub(in super::super) fn end_replay(&mut self, lines: usize) {
        self.unfolded.lines = lines;
    }

    fn fold(&mut self) -> Fold {
        let unfolded = Unfolded { written: self.last_lease, ..Unfolded::default() };
        let Unfolded { mut moved, mut ended, renewed, mut estimates, written, .. } =
            std::mem::replace(&mut self.unfolded, unfolded);
        moved.sort_unstable();
        ended.sort_unstable();
        let mut motions = Vec::with_capacity(moved.len());
        for id in moved {
            if let Some(entry) = self.accounts.get_mut(&id) {
                entry.noted = false;
                motions.push(entry.motion());
            }
        }
        let granted = self.leases.iter().filter(|(_, lease)| lease.row > written);
        let renewed = renewed.iter().filter_map(|id| self.leases.get_key_value(id));
        let open = granted.chain(renewed);
        let mut open: Vec<_> = open.map(|(id, lease)| (*id, lease.clone())).collect();
        open.sort_unstable_by_key(|(_, lease)| lease.row);
        estimates.sort_unstable();
        estimates.dedup();
        // What an account had that is gone is gone with it.
        let estimates = estimates.into_iter().map(|id| {
            let estimate = self.estimates.get(&id);
            (id, estimate.filter(|one| self.accounts.contains_key(&one.account)).cloned())
        });
        Fold { motions, ended, open, estimates: estimates.collect() }
    }
}

impl Note {
    /// Whether more follows from it than it writes.
    fn is_folded(&self) -> bool {
        matches!(
            self,
            Self::Leased { .. } | Self::Renewed { .. } | Self::Charged(_) | Self::Record(..)
        )
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
