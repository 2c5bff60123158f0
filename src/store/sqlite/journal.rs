//! The journal: what commits leased, renewed and charged, a page of lines a row.
//!
//! A row of its own for each lease and charge would cost a search, a cell and an index entry
//! each, and most leases end before anyone could have read them. What they come to is written
//! into its place by the fold, which begins the journal anew in the same commit; after a crash
//! the journal is replayed on what the last fold wrote.
//!
//! A fold leaves the rows, unless the disk may be full: the next lines are written over the old
//! ones. Each row is filled up to the same size, so that SQLite does that in the row's own page.
//! To give back pages and take them again would write three more of the file with each commit.
//!
//! Lines are in postcard's format (<https://postcard.jamesmunns.com/wire-format>), one after
//! the other.

use postcard::ser_flavors::Flavor;
use rusqlite::{Connection, Statement, params};
use serde::{Deserialize, Serialize};

use crate::accounts::{AccountId, Grant, LeaseId, PlatformId, TokenId, Tokens, UserId};

use super::super::{Answer, StoreError};
use super::books::{Charged, Ms, Note, OpenLease, Usage};
use super::file::failure;
use super::load::{each, get};
use super::rows;
use super::unwritten::{FOLDS, counter, keep};

/// One line.
#[derive(Serialize, Deserialize)]
pub(super) enum Line<'a> {
    Leased(#[serde(borrow)] LeaseLine<'a>),
    Renewed {
        id: [u8; 16],
        deadline: Ms,
    },
    Charged(#[serde(borrow)] ChargeLine<'a>),
    /// What a row is filled up with: a byte each.
    Empty,
}

/// [`Line::Empty`], packed.
const EMPTY: u8 = 3;

/// How long a row's lines are at most, but for one alone: they just fit into a page of 4 KB.
const A_ROW: usize = 4_040;

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
    /// The line of a note, if it has one.
    pub(super) fn of(note: &'a Note) -> Option<Self> {
        match note {
            Note::Leased { id, lease } => Some(Self::leased(*id, lease)),
            Note::Renewed { id, deadline } => {
                Some(Self::Renewed { id: id.0.to_be_bytes(), deadline: *deadline })
            }
            Note::Charged(charged) => Some(Self::charged(charged)),
            _ => None,
        }
    }

    fn leased(id: LeaseId, lease: &'a OpenLease) -> Self {
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

    fn charged(charged: &'a Charged) -> Self {
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

/// Where the journal ends.
pub(super) struct Tail {
    /// How many folds there were: rows from before the last are to be written over.
    fold: i64,
    /// The last row, and what it has.
    seq: i64,
    lines: Vec<u8>,
    /// Whether the next fold gives the journal's pages back.
    is_sparing: bool,
}

impl Tail {
    /// The end of a file's journal. Nobody may have written here yet, or a commit has failed: the
    /// disk may be full, and then the next fold needs the journal's pages.
    pub(super) fn load(conn: &Connection) -> Answer<Self> {
        let fold = counter(conn, FOLDS)?;
        let seq = conn
            .prepare_cached("SELECT coalesce(max(seq), 0) + 1 FROM journal WHERE fold = ?")
            .and_then(|mut find| find.query_row([fold], |row| row.get(0)))
            .map_err(failure)?;
        Ok(Self { fold, seq, lines: Vec::with_capacity(2 * A_ROW), is_sparing: true })
    }

    /// Writes the lines of a commit by a statement that puts a row.
    pub(super) fn write<'a>(
        &mut self,
        put: &mut Statement<'_>,
        lines: impl IntoIterator<Item = Line<'a>>,
    ) -> Answer<()> {
        let mut lines = lines.into_iter().peekable();
        if lines.peek().is_none() {
            return Ok(());
        }
        // One page is written in any case; with a row that has room for few it would be two.
        if self.lines.len() > A_ROW / 2 {
            self.begin_row();
        }
        for line in lines {
            if !pack_row("journal", &mut self.lines, &line)? {
                self.put(put)?;
                self.begin_row();
                pack_row("journal", &mut self.lines, &line)?;
            }
        }
        self.put(put)
    }

    fn begin_row(&mut self) {
        self.seq += 1;
        self.lines.clear();
    }

    fn put(&mut self, put: &mut Statement<'_>) -> Answer<()> {
        let length = self.lines.len();
        self.lines.resize(length.max(A_ROW), EMPTY);
        put.execute(params![self.seq, self.lines, self.fold]).map_err(failure)?;
        self.lines.truncate(length);
        Ok(())
    }

    /// Begins anew: all that the journal has is in its place.
    pub(super) fn folded(&mut self, conn: &Connection) -> Answer<()> {
        if std::mem::take(&mut self.is_sparing) {
            conn.execute("DELETE FROM journal", []).map_err(failure)?;
        }
        self.fold += 1;
        self.seq = 1;
        self.lines.clear();
        keep(conn, FOLDS, self.fold)
    }
}

/// Walks the journal, oldest first.
pub(super) fn walk(conn: &Connection, mut take: impl FnMut(Line<'_>) -> Answer<()>) -> Answer<()> {
    let sql =
        format!("SELECT lines FROM journal WHERE fold = {} ORDER BY seq", counter(conn, FOLDS)?);
    each(conn, &sql, |row| {
        let lines: Vec<u8> = get(row, 0)?;
        packed("journal", &lines, |line| match line {
            Line::Empty => Ok(()),
            line => take(line),
        })
    })
}

/// Adds to what is packed.
pub(super) fn pack(what: &'static str, to: Vec<u8>, line: &impl Serialize) -> Answer<Vec<u8>> {
    postcard::serialize_with_flavor(line, Pack(to))
        .map_err(|error| StoreError::Corrupt { what, why: error.to_string() })
}

/// Adds to what a row has, unless it has no room: a row that just fits into a page has one for
/// itself. A line that is longer has a row for itself.
pub(super) fn pack_row(
    what: &'static str,
    row: &mut Vec<u8>,
    line: &impl Serialize,
) -> Answer<bool> {
    let before = row.len();
    *row = pack(what, std::mem::take(row), line)?;
    let has_room = row.len() <= A_ROW || before == 0;
    if !has_room {
        row.truncate(before);
    }
    Ok(has_room)
}

/// postcard's own flavor for a `Vec` that has something extends it byte by byte.
struct Pack(Vec<u8>);

impl Flavor for Pack {
    type Output = Vec<u8>;

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.0)
    }
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
