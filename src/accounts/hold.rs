//! Holds: points, or tokens of a gateway token's day, set aside before a request is sent.
//!
//! A hold is to a purse what a lease is to an account: it ends once, by what was really
//! used or, when its gateway is gone, by its estimate at its deadline.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ChargeKind, LeaseId, TokenId, Tokens, UserId};

/// What a hold is taken from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purse {
    /// A user's balance, in millionths of a point.
    Points(UserId),
    /// A gateway token's tokens of a day (UTC).
    Budget {
        /// The token.
        token: TokenId,
        /// Its keyed hash.
        index: Arc<str>,
        /// Tokens a day.
        limit: Tokens,
    },
}

/// What a gateway asks of a purse for one request.
#[derive(Clone, Copy, Debug)]
pub struct HoldAsk<'a> {
    /// The hold, and what is charged if nobody ends it.
    pub key: &'a HoldKey,
    /// What is set aside: the most that the request may come to, as far as that is known.
    pub most: u64,
}

/// Where a hold lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldKey {
    /// Its id; holds of points have that of their attempt's lease.
    pub id: LeaseId,
    /// What it is taken from.
    pub purse: Purse,
    /// What the request will probably come to.
    pub estimate: u64,
    /// When it was taken. A store that lost it in a fail-over believes its end for some
    /// minutes after this.
    pub granted_at: Timestamp,
    /// What it is for: a note in the ledger.
    pub note: Arc<str>,
}

/// How a hold ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldEnd {
    /// Which hold.
    pub hold: HoldKey,
    /// Whose figure it is; never a correction.
    pub kind: ChargeKind,
    /// What it comes to.
    pub amount: u64,
}

/// Why a purse grants no hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldRefusal {
    /// What is left is set aside for requests under way.
    Busy,
    /// Nothing is left.
    Empty {
        /// When it fills again by itself.
        resets_at: Option<Timestamp>,
    },
}

/// A purse as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurseState {
    /// What is in it: a balance, or what is left of the day's tokens. Below zero by what
    /// the last request took too much.
    pub left: i64,
    /// Of that, set aside for requests under way.
    pub held: u64,
    /// When it fills again by itself.
    pub resets_at: Option<Timestamp>,
}
