//! Charges: the rows by which the books can be audited.
//!
//! Every lease leaves one row when it ends. A late exact figure adds one more, with
//! the difference, so that the rows of a lease sum to what it is charged in all.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, LeaseId, UserId};

/// What a charge's figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeKind {
    /// Nothing was used.
    Released,
    /// The platform's own figure.
    Exact,
    /// Ours: a count, or the estimate of a lease whose deadline passed.
    Estimated,
    /// The platform's figure less our estimate, which was charged before.
    Correction,
}

/// One charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeRow {
    /// Where it lies in the books: ask for what comes after it by this.
    pub cursor: String,
    /// The lease that ended.
    pub lease: LeaseId,
    /// The account charged.
    pub account: AccountId,
    /// Who called.
    pub user: UserId,
    /// What the figure is.
    pub kind: ChargeKind,
    /// The figure; a correction's may be negative.
    pub tokens: i64,
    /// When it was charged.
    pub at: Timestamp,
}
