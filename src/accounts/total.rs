//! Totals: what calls used, day by day. They outlive the records and charges that they sum.
//!
//! What was charged is counted when it is charged, on that day: a call whose gateway was
//! killed has no record, and counts all the same. The rest comes with the call's record, on
//! the day that the call came.

use std::ops::AddAssign;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{AccountId, Charge, PlatformId, Record, TokenId, Tokens, UserId};

/// Where a call, or one attempt of it, is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TotalKey {
    /// The day in UTC.
    pub day: Date,
    /// Who called.
    pub user: UserId,
    /// With which token.
    pub token: TokenId,
    /// On which account; `None`: on none, or on one that was removed since.
    pub account: Option<AccountId>,
    /// On which platform; `None`: on none.
    pub platform: Option<PlatformId>,
    /// By which model, as the platform names it; [`TotalKey::OTHER`] where a day has too
    /// many.
    pub model: String,
}

impl TotalKey {
    /// The model of all beyond [`TotalKey::MOST_A_DAY`]: callers choose names.
    pub const OTHER: &str = "other";

    /// How many keys a user has in a day before further ones count as [`TotalKey::OTHER`].
    pub const MOST_A_DAY: usize = 1000;
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Calls, each where its last attempt was.
    pub calls: u64,
    /// Attempts.
    pub attempts: u64,
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
    /// Charged by the platform's figures, late ones in the place of our estimates included.
    pub exact: Tokens,
    /// Charged by our estimates.
    pub estimated: Tokens,
}

impl Counts {
    /// As a row of numbers, in the order of the fields.
    pub fn row(&self) -> [u64; 9] {
        let Self {
            calls,
            attempts,
            input,
            cache_read,
            cache_write,
            output,
            reasoning,
            exact,
            estimated,
        } = *self;
        let tokens = [input, cache_read, cache_write, output, reasoning, exact, estimated];
        let [input, cache_read, cache_write, output, reasoning, exact, estimated] =
            tokens.map(|tokens| tokens.0);
        [calls, attempts, input, cache_read, cache_write, output, reasoning, exact, estimated]
    }

    /// Reads a row of numbers.
    pub fn of_row(row: [u64; 9]) -> Self {
        let [calls, attempts, tokens @ ..] = row;
        let [input, cache_read, cache_write, output, reasoning, exact, estimated] =
            tokens.map(Tokens);
        Self {
            calls,
            attempts,
            input,
            cache_read,
            cache_write,
            output,
            reasoning,
            exact,
            estimated,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        let (mut sum, other) = (self.row(), other.row());
        for (one, more) in sum.iter_mut().zip(other) {
            *one = one.saturating_add(more);
        }
        *self = Self::of_row(sum);
    }
}

/// One row of the totals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// Where it is counted.
    #[serde(flatten)]
    pub key: TotalKey,
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
}

impl Record {
    /// The day that it counts to.
    pub fn day(&self) -> Date {
        TimeZone::UTC.to_datetime(self.at).date()
    }

    /// What it adds to the totals: each attempt where it was tried, the call and what it
    /// used where its last attempt was; without the ids of accounts that are gone. A call that
    /// was tried nowhere has no model: its caller chose the name.
    ///
    /// What accounts were charged was counted by their charges. An attempt with a key of the
    /// operator's has none: it counts here.
    pub fn totals(&self, is_gone: impl Fn(AccountId) -> bool) -> Vec<Total> {
        let key = |account, platform, model: &str| TotalKey {
            day: self.day(),
            user: self.user,
            token: self.token,
            account,
            platform,
            model: model.to_owned(),
        };
        let mut totals: Vec<Total> = Vec::with_capacity(self.attempts.len().max(1));
        for attempt in &self.attempts {
            let mut counts = Counts { attempts: 1, ..Counts::default() };
            match attempt.charge {
                Charge::Exact(tokens) if attempt.is_bought() => counts.exact = tokens,
                Charge::Estimated(tokens) if attempt.is_bought() => counts.estimated = tokens,
                _ => {}
            }
            let is_on_one = !attempt.is_bought() && !is_gone(attempt.account);
            let account = Some(attempt.account).filter(|_| is_on_one);
            let key = key(account, Some(attempt.platform.clone()), &attempt.model);
            totals.push(Total { key, counts });
        }
        if totals.is_empty() {
            totals.push(Total { key: key(None, None, ""), counts: Counts::default() });
        }
        if let Some(last) = totals.last_mut() {
            last.counts += Counts {
                calls: 1,
                input: self.input,
                cache_read: self.cache_read,
                cache_write: self.cache_write,
                output: self.output,
                reasoning: self.reasoning,
                ..Counts::default()
            };
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{Attempt, Billing, LeaseId, Points};

    #[test]
    fn an_attempt_counts_where_it_was_tried_and_the_call_where_it_ended() {
        let attempt = |account, charge| Attempt {
            lease: LeaseId(1),
            account: AccountId(account),
            platform: "qwen".into(),
            model: "qwen-plus".into(),
            remaining: None,
            candidates: None,
            policy: None,
            stayed: false,
            outcome: "ok".into(),
            charge,
            points: Points::ZERO,
            took_ms: 1,
        };
        let mut record = Record {
            id: "r".into(),
            at: "2026-11-24T23:59:59Z".parse().unwrap(),
            user: UserId(1),
            token: TokenId(2),
            model: "smart".into(),
            streamed: false,
            input: Tokens(10),
            cache_read: Tokens(1),
            cache_write: Tokens(2),
            output: Tokens(20),
            reasoning: Tokens(3),
            estimated: false,
            took_ms: 5,
            first_byte_ms: None,
            billing: Billing::Quota,
            points: Points::ZERO,
            outcome: "ok".into(),
            attempts: vec![
                attempt(1, Charge::Estimated(Tokens(7))),
                attempt(2, Charge::Exact(Tokens(30))),
                attempt(0, Charge::Estimated(Tokens(40))),
                attempt(3, Charge::Exact(Tokens(30))),
            ],
            bodies: None,
        };
        let totals = record.totals(|account| account == AccountId(2));
        let rows: Vec<_> =
            totals.iter().map(|total| (total.key.account, total.counts.row())).collect();
        assert_eq!(
            rows,
            [
                (Some(AccountId(1)), [0, 1, 0, 0, 0, 0, 0, 0, 0]),
                (None, [0, 1, 0, 0, 0, 0, 0, 0, 0]),
                (None, [0, 1, 0, 0, 0, 0, 0, 0, 40]),
                (Some(AccountId(3)), [1, 1, 10, 1, 2, 20, 3, 0, 0]),
            ]
        );
        assert_eq!(totals[0].key.day.to_string(), "2026-11-24");
        record.attempts.clear();
        let refused = record.totals(|_| false).remove(0);
        assert_eq!((refused.key.model.as_str(), refused.key.account), ("", None));
        assert_eq!(refused.counts.calls, 1);
    }
}
