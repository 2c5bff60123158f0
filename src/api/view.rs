//! An account as people see it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::accounts::{AccountId, AccountState, Health, Origin, PoolId, Tokens, Window};
use crate::platforms::Reader;

/// An account, with what is used of it. No part of its credential.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AccountView {
    #[schemars(with = "i64")]
    id: AccountId,
    /// The pool that it is in.
    #[schemars(with = "i64")]
    pool: PoolId,
    /// Whether the reader bound it.
    is_own: bool,
    name: String,
    /// The name once more, as it is given when the account is bound.
    account_name: String,
    platform: String,
    /// The wire format that it was bound for, where that is not the usual one.
    dialect: Option<String>,
    /// Where it comes in a pool that goes by priority: 0 is first.
    priority: u8,
    /// `active`, `cooling`, `expired`, `banned`, `locked` or `disabled`.
    status: &'static str,
    /// What moved it there: for its owner.
    reason: Option<String>,
    /// When a pause ends.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    until: Option<Timestamp>,
    /// What to do about it.
    fix: Option<&'static str>,
    /// Used of the window that has least left.
    #[schemars(with = "u64")]
    quota_used: Tokens,
    /// That window's limit; null: not known.
    #[schemars(with = "Option<u64>")]
    quota_total: Option<Tokens>,
    /// What is left of it, less what requests under way hold.
    remaining: Option<i64>,
    windows: Vec<WindowView>,
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    last_used_at: Option<Timestamp>,
    /// When its credential ends; null: not known.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<Timestamp>,
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
}

/// A token limit over a period.
#[derive(Debug, Serialize, JsonSchema)]
pub struct WindowView {
    /// `day`, or a length as `5h` that begins with the first use.
    period: String,
    /// Whose midnights end a day.
    zone: Option<String>,
    /// Null: not known.
    #[schemars(with = "Option<u64>")]
    limit: Option<Tokens>,
    /// Whose word the limit is: `catalogue`, `hand` or `learned`.
    #[schemars(with = "Option<String>")]
    limit_from: Option<Origin>,
    #[schemars(with = "u64")]
    used: Tokens,
    /// Held by requests under way.
    #[schemars(with = "u64")]
    leased: Tokens,
    /// Null: it has not begun.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    resets_at: Option<Timestamp>,
    /// Whether the platform told that end.
    reset_told: bool,
}

impl AccountView {
    /// What a reader may see of an account.
    pub fn of(state: &AccountState, reader: Reader) -> Self {
        let account = &state.account;
        let tightest = state.windows.iter().filter(|window| window.limit.is_some());
        let tightest = tightest.min_by_key(|window| window.left()).or(state.windows.first());
        let until = match state.health {
            Health::Cooling { until, .. } => Some(until),
            _ => None,
        };
        Self {
            id: account.id,
            pool: account.pool,
            is_own: reader == Reader::Owner,
            name: account.name.clone(),
            account_name: account.name.clone(),
            platform: account.platform.to_string(),
            dialect: account.dialect.clone(),
            priority: state.priority.into(),
            status: state.health.status(),
            reason: state.health.reason().filter(|_| reader == Reader::Owner).map(str::to_owned),
            until,
            fix: state.health.remedy(),
            quota_used: tightest.map(|window| window.used).unwrap_or_default(),
            quota_total: tightest.and_then(|window| window.limit),
            remaining: state.remaining(),
            windows: state.windows.iter().map(|window| WindowView::of(window, state)).collect(),
            last_used_at: state.last_used_at,
            expires_at: account.expires_at,
            created_at: account.created_at,
        }
    }
}

impl WindowView {
    fn of(window: &Window, state: &AccountState) -> Self {
        Self {
            period: window.period.to_string(),
            zone: window.period.zone().map(str::to_owned),
            limit: window.limit,
            limit_from: window.limit.map(|_| window.origin),
            used: window.used,
            leased: state.leased,
            resets_at: window.resets_at,
            reset_told: window.end_told,
        }
    }
}
