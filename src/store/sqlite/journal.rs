//! The journal: what a commit leased, renewed and charged, as one row.
//!
//! A row of its own for each lease and charge would cost a search, a cell and an index entry
//! each, and most leases end before anyone could have read them. What they come to is written
//! into its place by the fold, which empties the journal in the same commit; after a crash the
//! journal is replayed on what the last fold wrote.
//!
//! Lines are in postcard's format (<https://postcard.jamesmunns.com/wire-format>), one after
//! the other.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::accounts::{AccountId, Grant, LeaseId, PlatformId, TokenId, Tokens, UserId};

use super::super::{Answer, StoreError};
use super::books::{Charged, Ms, OpenLease, Usage};
use super::load::{each, get};
use super::rows;

/// One line.
#[derive(Serialize, Deserialize)]
pub(super) enum Line<'a> {
    Leased(#[serde(borrow)] LeaseLine<'a>),
    Renewed { id: [u8; 16], deadline: Ms },
    Charged(#[serde(borrow)] ChargeLine<'a>),
}

/// A lease that was granted. Its platform is its account's.
#[derive(Serialize, Deserialize)]
pub(super) struct LeaseLine<'a> {
    id: [u8; 16],
    row: i64,
    account: i64,
    user: i64,
    token: i64,
    model: &'a str,
    estimate: u64,
    deadline: Ms,
    granted_at: Ms,
    remaining: Option<i64>,
    candidates: Option<u32>,
    reasons: i64,
}

/// A charge that was made.
#[derive(Serialize, Deserialize)]
pub(super) struct ChargeLine<'a> {
    lease: [u8; 16],
    account: i64,
    user: i64,
    token: i64,
    platform: &'a str,
    model: &'a str,
    kind: i64,
    tokens: i64,
    at: Ms,
    row: Option<i64>,
    windows: Option<Vec<Option<Ms>>>,
    replaced: Option<(u64, Ms)>,
}

impl<'a> Line<'a> {
    pub(super) fn leased(id: LeaseId, lease: &'a OpenLease) -> Self {
        let grant = &lease.grant;
        Self::Leased(LeaseLine {
            id: id.0.to_be_bytes(),
            row: lease.row,
            account: grant.account.0,
            user: lease.user.0,
            token: lease.token.0,
            model: &lease.model,
            estimate: lease.estimate.0,
            deadline: lease.deadline,
            granted_at: grant.granted_at.as_millisecond(),
            remaining: grant.remaining,
            candidates: grant.candidates,
            reasons: rows::reasons(grant),
        })
    }

    pub(super) fn renewed(id: LeaseId, deadline: Ms) -> Self {
        Self::Renewed { id: id.0.to_be_bytes(), deadline }
    }

    pub(super) fn charged(charged: &'a Charged) -> Self {
        Self::Charged(ChargeLine {
            lease: charged.lease.0.to_be_bytes(),
            account: charged.account.0,
            user: charged.user.0,
            token: charged.usage.token.0,
            platform: charged.usage.platform.as_str(),
            model: &charged.usage.model,
            kind: rows::kind_number(charged.kind),
            tokens: charged.tokens,
            at: charged.at,
            row: charged.row,
            windows: charged.windows.clone(),
            replaced: charged.replaced.map(|(tokens, at)| (tokens.0, at)),
        })
    }
}

impl LeaseLine<'_> {
    pub(super) fn account(&self) -> AccountId {
        AccountId(self.account)
    }

    /// The lease, whose account is on this platform.
    pub(super) fn read(self, platform: PlatformId) -> Answer<(LeaseId, OpenLease)> {
        let grant = Grant {
            account: self.account(),
            remaining: self.remaining,
            candidates: self.candidates,
            granted_at: rows::at("lease", self.granted_at)?,
            ailing: false,
            policy: None,
            stayed: false,
        };
        let lease = OpenLease {
            row: self.row,
            user: UserId(self.user),
            token: TokenId(self.token),
            platform,
            model: self.model.into(),
            estimate: Tokens(self.estimate),
            deadline: self.deadline,
            grant: rows::with_reasons(grant, self.reasons),
        };
        Ok((LeaseId(u128::from_be_bytes(self.id)), lease))
    }
}

impl ChargeLine<'_> {
    pub(super) fn read(self) -> Answer<Charged> {
        Ok(Charged {
            lease: LeaseId(u128::from_be_bytes(self.lease)),
            account: AccountId(self.account),
            user: UserId(self.user),
            usage: Usage {
                token: TokenId(self.token),
                platform: self.platform.into(),
                model: self.model.into(),
            },
            kind: rows::kind(self.kind)?,
            tokens: self.tokens,
            at: self.at,
            row: self.row,
            windows: self.windows,
            replaced: self.replaced.map(|(tokens, at)| (Tokens(tokens), at)),
        })
    }
}

/// Walks the journal, oldest first.
pub(super) fn walk(conn: &Connection, mut take: impl FnMut(Line<'_>) -> Answer<()>) -> Answer<()> {
    each(conn, "SELECT lines FROM journal ORDER BY seq", |row| {
        let lines: Vec<u8> = get(row, 0)?;
        packed("journal", &lines, &mut take)
    })
}

/// Adds to what is packed.
pub(super) fn pack(what: &'static str, to: Vec<u8>, line: &impl Serialize) -> Answer<Vec<u8>> {
    postcard::to_extend(line, to)
        .map_err(|error| StoreError::Corrupt { what, why: error.to_string() })
}

/// Walks what is packed.
pub(super) fn packed<'a, T: Deserialize<'a>>(
    what: &'static str,
    mut rest: &'a [u8],
    mut take: impl FnMut(T) -> Answer<()>,
) -> Answer<()> {
    while !rest.is_empty() {
        let (line, after) = postcard::take_from_bytes(rest)
            .map_err(|error| StoreError::Corrupt { what, why: error.to_string() })?;
        take(line)?;
        rest = after;
    }
    Ok(())
}
