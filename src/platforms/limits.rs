//! What an answer's headers tell of an account's limits, by the face's rows.

use std::time::Duration;

use http::{HeaderMap, HeaderName};
use jiff::Timestamp;

use super::rules::LimitRule;
use super::{Face, length};
use crate::accounts::{End, Tokens, WindowTold};

/// What one answer told.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LimitsTold {
    /// Of windows of quota.
    pub windows: Vec<WindowTold>,
    /// A quota is used up, and when it is back, where that was told: the last of several,
    /// for all of them must be.
    pub spent: Option<Option<End>>,
    /// A rate is used up until then: the last of several.
    pub refill: Option<End>,
}

impl LimitsTold {
    /// Reads the headers that the face's rows name.
    pub fn read(face: &Face, headers: &HeaderMap) -> Self {
        let mut told = Self::default();
        for rule in &face.limits {
            told.take(rule, headers);
        }
        told
    }

    /// Whether nothing was told that anyone would act on.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn take(&mut self, rule: &LimitRule, headers: &HeaderMap) {
        let text =
            |name: &Option<HeaderName>| headers.get(name.as_ref()?)?.to_str().ok().map(str::trim);
        let count = |name| text(name)?.parse::<f64>().ok().filter(|count| count.is_finite());
        let status = text(&rule.status);
        let says_spent = status.is_some_and(|word| rule.spent.iter().any(|spent| spent == word));
        let left = count(&rule.remaining);
        let none_left = says_spent || left.is_some_and(|left| left <= 0.0);
        if rule.period.is_none() && !none_left {
            return;
        }
        let refill = || Some(End::In(Duration::try_from_secs_f64(rule.refill?).ok()?));
        let end = text(&rule.reset).and_then(end).or_else(refill);
        if none_left && (says_spent || rule.period.is_some()) {
            self.spent = Some(self.spent.flatten().max(end));
        } else if none_left {
            self.refill = self.refill.max(end);
        }
        let Some(period) = &rule.period else { return };
        let limit = count(&rule.limit);
        if limit.is_none() && left.is_none() && status.is_none() && end.is_none() {
            return;
        }
        let tokens = |count: f64| Tokens(count.max(0.0) as u64);
        self.windows.push(WindowTold {
            period: period.clone(),
            limit: limit.map(tokens),
            left: if none_left { Some(Tokens::ZERO) } else { left.map(tokens) },
            end,
        });
    }
}

/// An end as it is written: an instant, or how long until then.
fn end(text: &str) -> Option<End> {
    if let Ok(number) = text.parse::<f64>() {
        // Seconds since 1970 are a billion and more; no window lasts that long.
        return if number >= 1e9 {
            Timestamp::from_second(number as i64).ok().map(End::At)
        } else {
            Duration::try_from_secs_f64(number).ok().map(End::In)
        };
    }
    text.parse().map(End::At).ok().or_else(|| length(text).map(End::In))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::Period;
    use crate::platforms::Catalogue;

    fn read(platform: &str, headers: &[(&'static str, &str)]) -> LimitsTold {
        let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
        let face = catalogue.platform(platform).unwrap().face(None).unwrap();
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        LimitsTold::read(face, &headers.collect())
    }

    fn at(text: &str) -> End {
        End::At(text.parse().unwrap())
    }

    #[test]
    fn a_rate_that_is_used_up_is_no_window() {
        let told = read(
            "openai",
            &[
                ("x-ratelimit-limit-requests", "500"),
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "1m30s"),
                ("x-ratelimit-remaining-tokens", "9000"),
                ("x-ratelimit-reset-tokens", "6m0s"),
            ],
        );
        let refill = Some(End::In(Duration::from_secs(90)));
        assert_eq!(told, LimitsTold { refill, ..LimitsTold::default() });
        assert!(read("openai", &[("x-ratelimit-remaining-requests", "1")]).is_nothing());
        let told = read("ernie", &[("x-ratelimit-remaining-output-tokens", "0")]);
        assert_eq!(told.refill, Some(End::In(Duration::from_secs(10))));
        let told = read(
            "claude",
            &[
                ("anthropic-ratelimit-input-tokens-remaining", "0"),
                ("anthropic-ratelimit-input-tokens-reset", "2026-11-24T12:00:41Z"),
            ],
        );
        assert_eq!(told.refill, Some(at("2026-11-24T12:00:41Z")));
    }

    #[test]
    fn a_subscriptions_windows_are_told_and_the_last_of_the_spent_decides() {
        let told = read(
            "claude",
            &[
                ("anthropic-ratelimit-unified-status", "rejected"),
                ("anthropic-ratelimit-unified-reset", "1795705200"),
                ("anthropic-ratelimit-unified-5h-status", "rejected"),
                ("anthropic-ratelimit-unified-5h-reset", "1795525200"),
                ("anthropic-ratelimit-unified-7d-status", "allowed_warning"),
                ("anthropic-ratelimit-unified-7d-reset", "1795888800"),
            ],
        );
        let window = |hours: i64, left: Option<u64>, end: &str| WindowTold {
            period: Period::FromFirstUse { seconds: hours * 3600 },
            limit: None,
            left: left.map(Tokens),
            end: Some(at(end)),
        };
        let windows =
            [window(5, Some(0), "2026-11-24T13:00:00Z"), window(168, None, "2026-11-28T18:00:00Z")];
        assert_eq!(told.windows, windows);
        assert_eq!(told.spent, Some(Some(at("2026-11-26T15:00:00Z"))));
        assert_eq!(told.refill, None);
    }

    #[test]
    fn every_form_of_an_end_is_read() {
        assert_eq!(end("120ms"), Some(End::In(Duration::from_millis(120))));
        assert_eq!(end("59.5"), Some(End::In(Duration::from_millis(59_500))));
        assert_eq!(end("1795525200"), Some(at("2026-11-24T13:00:00Z")));
        assert_eq!(end("2026-11-24T13:00:00+00:00"), Some(at("2026-11-24T13:00:00Z")));
        assert_eq!([end("soon"), end("-3")], [None, None]);
    }
}
