//! Failures: the catalogue's table, and what stands in the headers alone.
//!
//! A subscription's windows (`anthropic-ratelimit-unified-…`) are quotas; the limits a
//! minute (`anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-…`) are rates.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use super::Context;
use crate::platforms::failure;
use crate::platforms::{ErrorClass, PlatformError, Reset};

const UNIFIED: &str = "anthropic-ratelimit-unified-";
const RATES: [&str; 4] = ["requests", "tokens", "input-tokens", "output-tokens"];

/// What an answer that is no success means.
pub(super) fn of_answer(
    context: &Context,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> PlatformError {
    let mut error = failure::of_answer(&context.platform, &context.face, status, headers, body);
    if error.class != ErrorClass::RateLimited {
        return error;
    }
    if text(headers, &format!("{UNIFIED}status")) == Some("rejected") {
        error.class = ErrorClass::QuotaExhausted;
        error.reset = window_reset(headers).map(Reset::At);
    } else if error.retry_after.is_none() {
        error.retry_after = refill(headers);
    }
    error
}

/// When the last of the windows that reject is over; without one, what is said of all.
fn window_reset(headers: &HeaderMap) -> Option<Timestamp> {
    let reset = |window: &str| {
        let seconds = text(headers, &format!("{UNIFIED}{window}reset"))?.parse().ok()?;
        Timestamp::from_second(seconds).ok()
    };
    let windows = headers.keys().filter_map(|name| {
        name.as_str().strip_prefix(UNIFIED)?.strip_suffix("status").filter(|window| {
            // An overage is bought; it has no quota that comes back.
            !window.is_empty() && *window != "overage-"
        })
    });
    let rejected =
        |window: &&str| text(headers, &format!("{UNIFIED}{window}status")) == Some("rejected");
    windows.filter(rejected).filter_map(reset).max().or_else(|| reset(""))
}

/// How long until the rates that are used up are full again, on the platform's own clock.
fn refill(headers: &HeaderMap) -> Option<Duration> {
    let now = jiff::fmt::rfc2822::parse(text(headers, "date")?).ok()?.timestamp();
    let wait = |kind: &&str| {
        let rate = |what: &str| text(headers, &format!("anthropic-ratelimit-{kind}-{what}"));
        let at: Timestamp =
            rate("reset").filter(|_| rate("remaining") == Some("0"))?.parse().ok()?;
        Duration::try_from(at.duration_since(now)).ok()
    };
    RATES.iter().filter_map(wait).max()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_latest_window_that_rejects_decides() {
        let mut all = vec![
            ("anthropic-ratelimit-unified-status", "rejected"),
            ("anthropic-ratelimit-unified-reset", "5"),
            ("anthropic-ratelimit-unified-5h-status", "rejected"),
            ("anthropic-ratelimit-unified-5h-reset", "10"),
            ("anthropic-ratelimit-unified-7d-status", "rejected"),
            ("anthropic-ratelimit-unified-7d-reset", "20"),
            ("anthropic-ratelimit-unified-overage-status", "rejected"),
            ("anthropic-ratelimit-unified-overage-reset", "99"),
            ("anthropic-ratelimit-unified-7d_opus-status", "allowed"),
            ("anthropic-ratelimit-unified-7d_opus-reset", "90"),
        ];
        let reset = |all: &[_]| window_reset(&headers(all)).map(Timestamp::as_second);
        assert_eq!(reset(&all), Some(20));
        all.truncate(2);
        assert_eq!(reset(&all), Some(5));
        all.truncate(1);
        assert_eq!(reset(&all), None);
    }

    #[test]
    fn rates_that_are_used_up_tell_the_wait() {
        let all = [
            ("date", "Mon, 21 Sep 2026 14:13:20 GMT"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-09-21T14:13:22Z"),
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-09-21T14:13:37Z"),
            ("anthropic-ratelimit-tokens-remaining", "9"),
            ("anthropic-ratelimit-tokens-reset", "2026-09-21T14:14:37Z"),
        ];
        assert_eq!(refill(&headers(&all)), Some(Duration::from_secs(17)));
        assert_eq!(refill(&headers(&all[1..])), None);
    }
}
