//! What answers tell of accounts' limits, on its way to the store.
//!
//! Every answer may tell; the store hears what is new. It travels with the settlement,
//! behind the answer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::accounts::{AccountId, End, Harm, Rest, Tokens, WindowTold};
use crate::platforms::LimitsTold;
use crate::telemetry::clock::Stopwatch;

/// A figure that did not change is told again after this.
const AGAIN: Duration = Duration::from_secs(600);
/// Ends that differ by less are the same.
const SAME_END: Duration = Duration::from_secs(60);
/// A refill that is nearer than this is not worth a word.
const SHORT_REFILL: Duration = Duration::from_secs(1);
/// A rate is a minute's: no refill takes longer, whatever is told.
const LONGEST_REFILL: Duration = Duration::from_secs(60);
/// A spent quota whose end nobody told.
const UNKNOWN_END: Duration = Duration::from_secs(3600);

/// So many accounts are remembered before what is old is let go.
const KEPT: usize = 20_000;

/// What was told last, by account.
#[derive(Default)]
pub(super) struct Hearing(Mutex<HashMap<AccountId, Last>>);

struct Last {
    windows: Vec<WindowTold>,
    /// The instants that its ends came to.
    ends: Vec<Option<Timestamp>>,
    since: Stopwatch,
}

/// What an answer told that the store does not know yet.
pub(super) struct News {
    windows: Vec<WindowTold>,
    spent: Option<Option<End>>,
    refill: Option<End>,
    heard: Stopwatch,
}

impl Hearing {
    /// What is new of what an account's answer told, at `now` by our clock.
    pub(super) fn news(
        &self,
        account: AccountId,
        told: LimitsTold,
        now: Timestamp,
    ) -> Option<Box<News>> {
        let LimitsTold { mut windows, mut spent, refill } = told;
        if !windows.is_empty() && !self.is_news(account, &windows, now) {
            windows.clear();
            spent = None;
        }
        let wait = |end: &End| u128::try_from(ms_until(*end, now)).unwrap_or(0);
        let refill = refill.filter(|end| wait(end) >= SHORT_REFILL.as_millis());
        if windows.is_empty() && spent.is_none() && refill.is_none() {
            return None;
        }
        Some(Box::new(News { windows, spent, refill, heard: Stopwatch::start() }))
    }

    fn is_news(&self, account: AccountId, windows: &[WindowTold], now: Timestamp) -> bool {
        let ends: Vec<_> = windows.iter().map(|one| Some(one.end?.instant(now))).collect();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(&account).is_some_and(|last| last.is_same(windows, &ends)) {
            return false;
        }
        let last = Last { windows: windows.to_vec(), ends, since: Stopwatch::start() };
        if known.len() >= KEPT {
            known.retain(|_, last| last.since.elapsed() < AGAIN);
        }
        if known.len() < KEPT || known.contains_key(&account) {
            known.insert(account, last);
        }
        true
    }
}

impl Last {
    fn is_same(&self, windows: &[WindowTold], ends: &[Option<Timestamp>]) -> bool {
        let same_end = |(one, other): (&Option<Timestamp>, &Option<Timestamp>)| match (one, other) {
            (Some(one), Some(other)) => one.duration_since(*other).unsigned_abs() < SAME_END,
            (one, other) => one == other,
        };
        self.since.elapsed() < AGAIN
            && self.windows.len() == windows.len()
            && self.windows.iter().zip(windows).all(|(one, other)| {
                (&one.period, one.limit, level(one)) == (&other.period, other.limit, level(other))
            })
            && self.ends.iter().zip(ends).all(same_end)
    }
}

/// How full a window is, as far as it matters: empty, low, or more than half.
fn level(told: &WindowTold) -> Option<u8> {
    let left = told.left?;
    let half = told.limit.map_or(Tokens::ZERO, |limit| Tokens(limit.0 / 2));
    Some(if left == Tokens::ZERO { 0 } else { 1 + u8::from(left > half) })
}

fn ms_until(end: End, now: Timestamp) -> i64 {
    end.instant(now).as_millisecond() - now.as_millisecond()
}

impl News {
    /// What two answers told, one after the other.
    pub(super) fn then(self, later: Self) -> Self {
        if later.windows.is_empty() && later.spent.is_none() {
            return Self { refill: later.refill.or(self.refill), ..self };
        }
        later
    }

    /// What windows were told, and what that does to the account. Lengths are counted from
    /// when they were heard.
    pub(super) fn told(self) -> (Vec<WindowTold>, Option<Harm>) {
        let Self { mut windows, spent, refill, heard } = self;
        let passed = heard.elapsed();
        let shift = |end: End| match end {
            End::In(wait) => End::In(wait.saturating_sub(passed)),
            at => at,
        };
        for window in &mut windows {
            window.end = window.end.map(shift);
        }
        let names: Vec<String> = windows
            .iter()
            .filter(|window| window.left == Some(Tokens::ZERO))
            .map(|window| window.period.to_string())
            .collect();
        let harm = if let Some(end) = spent {
            let named = if names.is_empty() { "quota".to_owned() } else { names.join(" and ") };
            Some(Harm::Rest {
                rest: end
                    .map_or_else(|| Rest::after(UNKNOWN_END), |end| shift(end).rest(UNKNOWN_END)),
                reason: format!("the platform says that nothing is left of its {named}"),
                out_of_quota: true,
            })
        } else {
            refill.map(shift).and_then(rest_until_refilled)
        };
        (windows, harm)
    }
}

fn rest_until_refilled(refill: End) -> Option<Harm> {
    let rest = match refill {
        End::In(wait) if wait < SHORT_REFILL => return None,
        End::In(wait) => Rest::after(wait.min(LONGEST_REFILL)),
        at @ End::At(_) => at.rest(Duration::ZERO),
    };
    let reason = "the platform says that its requests or tokens a minute are used up".to_owned();
    Some(Harm::Rest { rest, reason, out_of_quota: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::Period;

    fn told(limit: u64, left: u64, end: &str) -> LimitsTold {
        let window = WindowTold {
            period: Period::FromFirstUse { seconds: 18_000 },
            limit: Some(Tokens(limit)),
            left: Some(Tokens(left)),
            end: Some(End::At(end.parse().unwrap())),
        };
        LimitsTold { windows: vec![window], ..LimitsTold::default() }
    }

    #[test]
    fn only_what_changed_materially_is_news() {
        let hearing = Hearing::default();
        let now = "2026-11-24T12:00:00Z".parse().unwrap();
        let is_news = |account, told| hearing.news(AccountId(account), told, now).is_some();
        let end = "2026-11-24T17:00:00Z";
        assert!(is_news(1, told(1000, 900, end)));
        assert!(!is_news(1, told(1000, 880, "2026-11-24T17:00:30Z")), "a little less is left");
        assert!(is_news(2, told(1000, 900, end)), "another account");
        assert!(is_news(1, told(1000, 400, end)), "less than half");
        assert!(is_news(1, told(1000, 0, end)), "nothing");
        assert!(is_news(1, told(1000, 700, end)), "reset early");
        assert!(is_news(1, told(2000, 1700, end)), "another limit");
        assert!(is_news(1, told(2000, 1700, "2026-11-24T17:01:30Z")), "another end");
        assert!(!is_news(1, LimitsTold::default()));
    }

    #[test]
    fn a_later_answer_that_tells_nothing_new_takes_nothing_back() {
        let hearing = Hearing::default();
        let now = "2026-11-24T12:00:00Z".parse().unwrap();
        let news = |told| hearing.news(AccountId(1), told, now);
        let first = news(told(1000, 0, "2026-11-24T17:00:00Z")).unwrap();
        let refill = Some(End::In(Duration::from_secs(30)));
        let (windows, harm) =
            first.then(*news(LimitsTold { refill, ..LimitsTold::default() }).unwrap()).told();
        assert_eq!(windows.len(), 1);
        assert!(harm.is_some());
        let first = news(told(1000, 900, "2026-11-24T17:00:00Z")).unwrap();
        let second = news(told(1000, 400, "2026-11-24T17:00:00Z")).unwrap();
        assert_eq!(first.then(*second).told().0[0].left, Some(Tokens(400)));
    }

    #[test]
    fn a_refill_that_is_near_is_not_worth_a_word() {
        let hearing = Hearing::default();
        let now = "2026-11-24T12:00:00Z".parse().unwrap();
        let refill = |ms| {
            let refill = Some(End::In(Duration::from_millis(ms)));
            hearing.news(AccountId(1), LimitsTold { refill, ..LimitsTold::default() }, now)
        };
        assert!(refill(120).is_none());
        let (windows, harm) = refill(30_000).unwrap().told();
        assert!(windows.is_empty());
        assert!(matches!(harm, Some(Harm::Rest { out_of_quota: false, .. })), "{harm:?}");
    }
}
