//! Records: what one call used and did.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountId, Charge, LeaseId, PlatformId, Points, Policy, TokenId, Tokens, UserId};

/// Who paid for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Billing {
    /// A bound account's quota.
    Quota,
    /// The user's points.
    Points,
}

/// One attempt of a call: one lease on one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its lease.
    pub lease: LeaseId,
    /// The account; [`AccountId::OPERATOR`] where points paid, or where it was removed
    /// before the call ended.
    pub account: AccountId,
    /// The platform.
    pub platform: PlatformId,
    /// The model's name upstream.
    pub model: Arc<str>,
    /// What the account had left when it was chosen: why this account.
    pub remaining: Option<i64>,
    /// How many accounts could have been chosen.
    pub candidates: Option<u32>,
    /// The policy that chose the account; `None` for a pin, and where points paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Whether it was chosen because its conversation was there before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stayed: bool,
    /// How it ended: `ok`, or the class of its failure.
    pub outcome: Cow<'static, str>,
    /// What its lease was settled by.
    pub charge: Charge,
    /// What it cost, where points paid.
    #[serde(default, skip_serializing_if = "Points::is_zero")]
    pub points: Points,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The request's id, as in `x-request-id`.
    pub id: String,
    /// When it came.
    pub at: Timestamp,
    /// Who called.
    pub user: UserId,
    /// With which token.
    pub token: TokenId,
    /// The model that was asked for.
    pub model: String,
    /// Whether a stream was asked for.
    pub streamed: bool,
    /// Prompt tokens, cached ones included.
    pub input: Tokens,
    /// Of the prompt, read from the platform's cache.
    pub cache_read: Tokens,
    /// Of the prompt, written to the platform's cache.
    pub cache_write: Tokens,
    /// Answer tokens, reasoning included.
    pub output: Tokens,
    /// Of the answer, reasoning.
    pub reasoning: Tokens,
    /// Whether the counts are ours rather than the platform's.
    pub estimated: bool,
    /// From arrival to the last byte, in milliseconds.
    pub took_ms: u64,
    /// From arrival to the answer's first byte, in milliseconds.
    pub first_byte_ms: Option<u64>,
    /// Who paid.
    pub billing: Billing,
    /// What its attempts cost together, in points.
    #[serde(default)]
    pub points: Points,
    /// `ok`, `hangup`, or the error's code.
    pub outcome: Cow<'static, str>,
    /// Every attempt, in order.
    pub attempts: Vec<Attempt>,
    /// What was said, where the caller's token keeps that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bodies: Option<KeptBodies>,
}

/// A call's request and answer, each sealed to its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptBodies {
    /// The request's body.
    pub request: String,
    /// The answer's body, as far as it was sent; a stream's events.
    pub response: String,
    /// Whether only the beginning of one of them is kept.
    pub cut: bool,
}

impl KeptBodies {
    /// How long they are together, sealed.
    pub fn bytes(&self) -> usize {
        self.request.len() + self.response.len()
    }
}

impl Attempt {
    /// Whether a key of the operator's made it; asked before [`Record::forget`].
    pub fn is_bought(&self) -> bool {
        self.account == AccountId::OPERATOR
    }
}

impl Record {
    /// Takes out the ids of accounts that are gone.
    pub fn forget(&mut self, is_gone: impl Fn(AccountId) -> bool) {
        for attempt in &mut self.attempts {
            if is_gone(attempt.account) {
                attempt.account = AccountId::OPERATOR;
            }
        }
    }
}
