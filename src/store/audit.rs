//! The audit log's verbs, and the chain over them: rows are written and checked here,
//! whatever store they lie in.
//!
//! A row's MAC, under `mac/audit`, covers the row and the MAC of the row before. The store
//! takes a row only as the next one, so several gateways and commands share one chain.
//! What nobody can see from the rows: whether some are missing at the front (they are kept
//! for so many days) or at the end; whoever wants to know keeps the last one's MAC.

use std::time::Duration;

use async_trait::async_trait;

use super::{Answer, StoreError};
use crate::accounts::{AuditHead, AuditRow, Deed, UserId};
use crate::telemetry::clock::Stopwatch;
use crate::vault::{MacParts, MacPurpose, OpenError, Vault};

/// The audit log in a store.
#[async_trait]
pub trait AuditLog: Send + Sync + 'static {
    /// Where the log ends.
    async fn audit_head(&self) -> Answer<AuditHead>;
    /// Adds a row after the one whose MAC it covers; `false` where another one is the last
    /// by now. Giving the same row again adds it once.
    async fn add_audit(&self, row: AuditRow) -> Answer<bool>;
    /// Rows, newest first, before a number: those that show in a user's log, or all.
    async fn audit_of(
        &self,
        reader: Option<UserId>,
        before: Option<i64>,
        limit: usize,
    ) -> Answer<Vec<AuditRow>>;
    /// Every row, oldest first, after a number.
    async fn audit_after(&self, after: i64, limit: usize) -> Answer<Vec<AuditRow>>;
}

/// How long a row may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest pause of a writer whom another one overtook.
const LONGEST_PAUSE_MICROS: u64 = 4_000;

/// How many rows are checked at a time.
const A_PAGE: usize = 500;

/// How many faults are told.
const MOST_FAULTS: usize = 100;

/// Writes a deed down: durable when it answers.
///
/// # Errors
/// The store's; then the deed must not be done, where it would grant something.
pub async fn write_down(log: &(impl AuditLog + ?Sized), vault: &Vault, deed: Deed) -> Answer<()> {
    let since = Stopwatch::start();
    loop {
        let head = log.audit_head().await?;
        let row = sign(vault, head, deed.clone());
        if log.add_audit(row).await? {
            return Ok(());
        }
        if since.elapsed() > PATIENCE {
            return Err(StoreError::Unavailable("the audit log is in great demand".into()));
        }
        // Whoever lost together must not meet again.
        let pause = getrandom::u64().unwrap_or_default() % LONGEST_PAUSE_MICROS;
        tokio::time::sleep(Duration::from_micros(pause)).await;
    }
}

fn sign(vault: &Vault, head: AuditHead, deed: Deed) -> AuditRow {
    let AuditHead { seq, mac: before, now } = head;
    let row = AuditRow { seq: seq.saturating_add(1), at: now, deed, before, mac: String::new() };
    let mac = vault.mac(MacPurpose::Audit, &parts(&row));
    AuditRow { mac, ..row }
}

fn parts(row: &AuditRow) -> MacParts {
    let deed = serde_json::to_string(&row.deed).expect("a deed is plain data");
    MacParts::new("audit")
        .number(row.seq)
        .number(row.at.as_millisecond())
        .text(&deed)
        .text(&row.before)
}

/// What a check of the log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// How many rows were checked.
    pub rows: u64,
    /// The first row's number, and when it was written.
    pub first: Option<(i64, jiff::Timestamp)>,
    /// The last row's number and its MAC: kept elsewhere, it shows a log that was cut.
    pub last: Option<(i64, String)>,
    /// Rows under keys that have left the ring: what follows them vouches for them.
    pub unproved: u64,
    /// What is wrong, in order; a hundred at most.
    pub faults: Vec<ChainFault>,
}

/// What is wrong with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainFault {
    /// Rows between these two are missing.
    Gap {
        /// The last before it.
        after: i64,
        /// The first behind it.
        before: i64,
    },
    /// The row is not as it was written.
    Changed {
        /// Its number.
        seq: i64,
    },
    /// The row does not follow the one that stands before it.
    Unlinked {
        /// Its number.
        seq: i64,
    },
}

impl std::fmt::Display for ChainFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gap { after, before } => {
                write!(f, "rows between {after} and {before} are missing")
            }
            Self::Changed { seq } => write!(f, "row {seq} is not as it was written"),
            Self::Unlinked { seq } => {
                write!(f, "row {seq} does not follow the row that stands before it")
            }
        }
    }
}

/// Checks the rows of a range, both ends included; `None`: from the first that is kept, up
/// to the last.
///
/// # Errors
/// The store's.
pub async fn check_chain(
    log: &(impl AuditLog + ?Sized),
    vault: &Vault,
    from: Option<i64>,
    to: Option<i64>,
) -> Answer<Chain> {
    let mut chain = Chain::default();
    let mut after = from.map_or(0, |from| from.saturating_sub(1));
    loop {
        let rows = log.audit_after(after, A_PAGE).await?;
        let Some(last) = rows.last().map(|row| row.seq) else { return Ok(chain) };
        for row in rows {
            if to.is_some_and(|to| row.seq > to) {
                return Ok(chain);
            }
            chain.take(vault, row);
        }
        after = last;
    }
}

impl Chain {
    fn take(&mut self, vault: &Vault, row: AuditRow) {
        let seq = row.seq;
        if let Some((last, mac)) = &self.last {
            if last.saturating_add(1) != seq {
                let gap = ChainFault::Gap { after: *last, before: seq };
                self.found(gap);
            } else if *mac != row.before {
                self.found(ChainFault::Unlinked { seq });
            }
        }
        match vault.check_mac(MacPurpose::Audit, &parts(&row), &row.mac) {
            Ok(()) => {}
            Err(OpenError::UnknownKid { .. }) => self.unproved += 1,
            Err(_) => self.found(ChainFault::Changed { seq }),
        }
        self.rows += 1;
        self.first.get_or_insert((seq, row.at));
        self.last = Some((seq, row.mac));
    }

    fn found(&mut self, fault: ChainFault) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(fault);
        }
    }
}
