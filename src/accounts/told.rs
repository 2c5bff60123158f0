//! What a platform's answers tell of an account's windows.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{AccountId, Origin, Period, Rest, Tokens, Window, later};

/// What one answer told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The account that it came from.
    pub account: AccountId,
    /// What it told of each window.
    pub windows: Vec<WindowTold>,
}

/// What an answer told of one window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowTold {
    /// Which window: of this length, or the day. A day's zone is the window's own.
    pub period: Period,
    /// Its limit.
    pub limit: Option<Tokens>,
    /// What is left of it, by the platform's count.
    pub left: Option<Tokens>,
    /// When it ends.
    pub end: Option<End>,
}

/// An end as it was told: none hangs on a gateway's clock. A platform tells all of its
/// ends in one form; of two forms an instant counts as the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum End {
    /// So long after the answer.
    In(Duration),
    /// At an instant of the platform's.
    At(Timestamp),
}

impl End {
    /// The instant that it comes to at `now`.
    pub fn instant(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::In(wait) => later(now, wait),
        }
    }

    /// As a rest that lasts until then, or `after`.
    pub fn rest(self, after: Duration) -> Rest {
        match self {
            Self::At(at) => Rest { at: vec![at], after },
            Self::In(wait) => Rest::after(wait),
        }
    }
}

impl Period {
    /// Whether a window of this period is the one that was told of.
    pub fn is_told_by(&self, told: &Self) -> bool {
        match (self, told) {
            (Self::Day { .. }, Self::Day { .. }) => true,
            (own, told) => own == told,
        }
    }
}

impl Window {
    /// A window that nobody knew before the platform told of it. Days have a zone, which
    /// no platform tells.
    pub fn first_told(told: &WindowTold) -> Option<Self> {
        let new = |period| Self {
            period,
            limit: None,
            origin: Origin::Learned,
            used: Tokens::ZERO,
            resets_at: None,
            end_told: false,
        };
        match &told.period {
            Period::Day { .. } => None,
            period => Some(new(period.clone())),
        }
    }

    /// Takes in what was told, after the window was rolled to `now`.
    ///
    /// A limit set by hand stays. What is used stays too, our count being the finer one,
    /// unless what was told shows that the window was reset before its time: it ends so
    /// late that it began anew, or most of it is left where we see nothing left.
    pub fn hear(&mut self, told: &WindowTold, now: Timestamp) {
        if let Some(limit) = told.limit
            && self.origin != Origin::Hand
        {
            self.limit = Some(limit);
            self.origin = Origin::Learned;
        }
        if let Some(end) = told.end.map(|end| end.instant(now)).filter(|&end| end > now) {
            if let (Some(known), Period::FromFirstUse { seconds }) = (self.resets_at, &self.period)
                && end.duration_since(known) > SignedDuration::from_secs(*seconds / 2)
            {
                self.used = Tokens::ZERO;
            }
            self.resets_at = Some(end);
            self.end_told = true;
        }
        if let (Some(limit), Some(left)) = (self.limit, told.left)
            && self.used >= limit
            && left.0 > limit.0 / 2
        {
            self.used = limit.saturating_sub(left);
        }
    }
}
