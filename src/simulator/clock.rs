//! The simulator's own clock; the one place here that asks for the time.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, UTC.
#[expect(
    clippy::disallowed_methods,
    reason = "the simulated platforms share no code with the gateway, its clock included"
)]
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Seconds since 1970, UTC: what platforms call `created`.
pub(super) fn now_s() -> u64 {
    now_ms() / 1000
}

/// The time of day as Spark writes it into its messages: `17:27:05.718` in Shanghai.
pub(super) fn shanghai_time_of_day() -> String {
    let ms = (now_ms() + 8 * 3_600_000) % 86_400_000;
    let (s, ms) = (ms / 1000, ms % 1000);
    format!("{:02}:{:02}:{:02}.{ms:03}", s / 3600, s / 60 % 60, s % 60)
}

/// This second as GLM writes it into ids: `20260921221320` in Shanghai.
pub(super) fn shanghai_stamp() -> String {
    let second = i64::try_from(now_s()).unwrap_or_default();
    let now = jiff::Timestamp::from_second(second).unwrap_or_default();
    jiff::tz::offset(8).to_datetime(now).strftime("%Y%m%d%H%M%S").to_string()
}
