//! What stands in the words and headers of a failure.

use std::time::Duration;

use http::HeaderMap;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

/// How keys begin that platforms like to repeat in their messages.
const KEY_STARTS: [&str; 2] = ["sk-", "bce-v3/"];

/// The message with everything that looks like a key taken out.
pub(super) fn redacted(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = KEY_STARTS.iter().filter_map(|start| rest.find(start)).min() {
        let (before, key) = rest.split_at(at);
        out.push_str(before);
        let is_key = |byte: char| byte.is_ascii_alphanumeric() || "-_*/+=".contains(byte);
        let end = key.find(|byte| !is_key(byte)).unwrap_or(key.len());
        // Inside a word (`task-force`) it is no key.
        if before.ends_with(is_key) || end < 8 {
            out.push_str(&key[..end]);
        } else {
            out.push_str("[redacted]");
        }
        rest = &key[end..];
    }
    out.push_str(rest);
    out
}

/// The first of these names that stands in the message as a word of its own.
pub(super) fn named_param(message: &str, names: &[String]) -> Option<String> {
    let is_part = |byte: char| byte.is_ascii_alphanumeric() || byte == '_';
    let mut words = message.split(|byte| !is_part(byte));
    words.find_map(|word| names.iter().find(|name| *name == word).cloned())
}

/// When to come back, by the answer's headers.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(millis) = text("retry-after-ms").and_then(|text| text.parse().ok()) {
        return Some(Duration::from_millis(millis));
    }
    let wait = text("retry-after")?;
    if let Ok(seconds) = wait.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    // A date means what it means on the platform's own clock.
    let at = jiff::fmt::rfc2822::parse(wait).ok()?.timestamp();
    let now = jiff::fmt::rfc2822::parse(text("date")?).ok()?.timestamp();
    Duration::try_from(at.duration_since(now)).ok()
}

/// A length as Go writes it: `120ms`, `59.629s`, `6m0s`, `1h2m`.
pub(in super::super) fn length(text: &str) -> Option<Duration> {
    let (mut rest, mut seconds) = (text.trim(), 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| letter.is_ascii_alphabetic())?;
        let (count, after) = rest.split_at(digits);
        let letters = after.find(|letter: char| !letter.is_ascii_alphabetic());
        let (unit, after) = after.split_at(letters.unwrap_or(after.len()));
        let unit = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        seconds += count.parse::<f64>().ok()? * unit;
        rest = after;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// The first `YYYY-MM-DD HH:MM:SS` of the message, as local time in the zone.
pub(super) fn reset_time(message: &str, zone: &str) -> Option<jiff::Timestamp> {
    let starts = message.char_indices().filter(|(_, first)| first.is_ascii_digit());
    let found = starts.filter_map(|(at, _)| message.get(at..at + 19)).find_map(|text| {
        let shape = text.as_bytes().get(10) == Some(&b' ') && text.as_bytes().get(4) == Some(&b'-');
        if shape { text.replacen(' ', "T", 1).parse::<DateTime>().ok() } else { None }
    })?;
    time_zone(zone).to_timestamp(found).ok()
}

/// The zone; on a machine without zone data China's, which has had no summer time
/// since 1991, is still right.
fn time_zone(name: &str) -> TimeZone {
    let fallback = if name.starts_with("Asia/Shanghai") { 8 } else { 0 };
    TimeZone::get(name).unwrap_or_else(|_| TimeZone::fixed(Offset::constant(fallback)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_out_and_words_are_not() {
        assert_eq!(
            redacted("Incorrect API key: sk-proj-****3f9A. A task-force sk- stays"),
            "Incorrect API key: [redacted]. A task-force sk- stays"
        );
        assert_eq!(redacted("bce-v3/ALTAK-abc/def!"), "[redacted]!");
    }

    #[test]
    fn a_field_is_found_as_a_word() {
        let names = ["n".to_owned(), "max_tokens".to_owned()];
        let message = "Range of max_tokens should be [1, 8192]";
        assert_eq!(named_param(message, &names).as_deref(), Some("max_tokens"));
        assert_eq!(named_param("anon", &names), None);
    }

    #[test]
    fn every_form_of_retry_after_is_read() {
        let mut headers = HeaderMap::new();
        assert_eq!(retry_after(&headers), None);
        headers.insert("retry-after", "Mon, 21 Sep 2026 14:13:30 GMT".parse().unwrap());
        headers.insert("date", "Mon, 21 Sep 2026 14:13:20 GMT".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(10)));
        headers.insert("retry-after", "1.5".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::from_millis(1500)));
        headers.insert("retry-after", "-3".parse().unwrap());
        assert_eq!(retry_after(&headers), None);
        headers.insert("retry-after-ms", "292".parse().unwrap());
        assert_eq!(retry_after(&headers), Some(Duration::from_millis(292)));
    }

    #[test]
    fn a_length_is_read_as_go_writes_it() {
        let known = [("120ms", Some(120)), ("6m0.5s", Some(360_500)), ("5", None), ("x1s", None)];
        for (text, millis) in known {
            assert_eq!(length(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn a_reset_time_is_local() {
        let at = reset_time("额度将在2026-09-22 03:00:00重置", "Asia/Shanghai");
        assert_eq!(at, Some("2026-09-21T19:00:00Z".parse().unwrap()));
        assert_eq!(reset_time("12 到 2026-13-99 03:00:00", "UTC"), None);
    }
}
