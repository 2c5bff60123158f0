//! What numbers and durations may be: what fits its type, but would stop the gateway or
//! break one of its promises.

use jiff::SignedDuration;

use super::Settings;

/// A key whose value is out of bounds: what is wrong, and what to write instead.
pub(super) struct Broken {
    pub(super) key: &'static str,
    pub(super) what: String,
    pub(super) fix: String,
}

const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);
const SECOND: SignedDuration = SignedDuration::from_secs(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// A revoked token stops working within this.
const LONGEST_TOKEN_CACHE: SignedDuration = SignedDuration::from_secs(5);

/// Every key that is out of bounds.
pub(super) fn broken(settings: &Settings) -> Vec<Broken> {
    let Settings { server, store, upstream, relay, passwords, .. } = settings;
    let durations = [
        ("server.head_timeout", server.head_timeout, MILLISECOND, DAY),
        ("server.body_timeout", server.body_timeout, MILLISECOND, DAY),
        ("server.send_timeout", server.send_timeout, MILLISECOND, DAY),
        ("server.drain_notice", server.drain_notice, SignedDuration::ZERO, DAY),
        ("server.drain_timeout", server.drain_timeout, SignedDuration::ZERO, DAY),
        // Renewed four times as often, by a clock that ticks.
        ("store.lease_deadline", store.lease_deadline, SECOND, DAY),
        ("upstream.connect_timeout", upstream.connect_timeout, MILLISECOND, DAY),
        ("upstream.first_byte_timeout", upstream.first_byte_timeout, MILLISECOND, DAY),
        ("upstream.whole_answer_timeout", upstream.whole_answer_timeout, MILLISECOND, DAY),
        ("upstream.gap_timeout", upstream.gap_timeout, MILLISECOND, DAY),
        ("upstream.idle_timeout", upstream.idle_timeout, SignedDuration::ZERO, DAY),
        ("relay.lease_wait", relay.lease_wait, MILLISECOND, DAY),
        ("relay.keep_alive", relay.keep_alive, MILLISECOND, DAY),
        ("relay.drain_time", relay.drain_time, SignedDuration::ZERO, DAY),
        ("relay.token_cache", relay.token_cache, SignedDuration::ZERO, LONGEST_TOKEN_CACHE),
    ];
    let numbers = [
        ("server.max_body_bytes", server.max_body_bytes, 1024),
        ("upstream.max_answer_bytes", upstream.max_answer_bytes, 1024),
        ("relay.max_attempts", relay.max_attempts, 1),
        ("relay.queue", relay.queue, 1),
        ("store.keep_days", store.keep_days as usize, 1),
        ("store.keep_records", store.keep_records, 1),
        // The least that OWASP takes for safe.
        ("passwords.memory_mib", passwords.memory_mib, 19),
        ("passwords.passes", passwords.passes, 2),
    ];
    let durations = durations.into_iter().filter_map(|(key, value, least, most)| {
        if value < least {
            Some(below(key, format!("\"{least:#}\"")))
        } else if value > most {
            Some(above(key, format!("\"{most:#}\"")))
        } else {
            None
        }
    });
    let numbers = numbers
        .into_iter()
        .filter(|(_, value, least)| value < least)
        .map(|(key, _, least)| below(key, least.to_string()));
    durations.chain(numbers).collect()
}

fn below(key: &'static str, least: String) -> Broken {
    Broken { key, what: "is too small".to_owned(), fix: format!("write {least} or more") }
}

fn above(key: &'static str, most: String) -> Broken {
    Broken { key, what: "is too long".to_owned(), fix: format!("write {most} or less") }
}
