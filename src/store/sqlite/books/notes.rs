//! What a verb changed: the rows that the writer commits.

use std::sync::Arc;

use crate::accounts::{
    Account, AccountId, GatewayTokenRow, Health, LeaseId, Record, TokenId, User, Window,
};

use super::{Charged, Counter, Ms, OpenLease};

/// One changed row.
pub(in super::super) enum Note {
    Counter(Counter, i64),
    User(User),
    Token(Arc<GatewayTokenRow>),
    Revoked {
        token: TokenId,
        at: Ms,
    },
    Canary(String),
    Account(Arc<Account>),
    Health(AccountId, Health),
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
    Ended {
        row: i64,
    },
    Charged(Charged),
    Record(Record),
    /// It is time to delete what is too old.
    Forget {
        now: Ms,
    },
}

/// An account's counts, as they are when the notes are taken: however often they
/// moved since the last commit, they are written once.
pub(in super::super) struct Motion {
    pub(in super::super) account: AccountId,
    pub(in super::super) last_used_at: Option<Ms>,
    /// What is used of each window, and when it ends.
    pub(in super::super) windows: Vec<(i64, Option<Ms>)>,
}

/// Everything that changed, in order.
#[derive(Default)]
pub(in super::super) struct Notes {
    pub(in super::super) rows: Vec<Note>,
    pub(super) moved: Vec<AccountId>,
    pub(in super::super) motions: Vec<Motion>,
}

impl Notes {
    pub(in super::super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.moved.is_empty() && self.motions.is_empty()
    }
}
