//! Misbehaviour on request: `POST /_sim/faults`.
//!
//! ```json
//! {"kind": "class", "class": "rate_limited", "credential": "abc123", "model": "qwen-plus", "times": 2}
//! ```
//!
//! | field | |
//! | --- | --- |
//! | `credential` | the key's last six characters, or as the ledger writes them; left out: every credential |
//! | `model` | left out: every model |
//! | `times` | how many requests it meets; 1 if left out, 0 until cleared |
//! | `on` | `chat`, `models`, `keys`, `handshake` or `any`; left out: `chat`, for `auth_expired` and `banned` `any` |
//! | `kind` | below |
//!
//! | kind | |
//! | --- | --- |
//! | `status` | answers `status` (429) with `body` (JSON or text) and `headers` |
//! | `class` | answers the platform's own error of a `class`: `rate_limited`, `quota_exhausted`, `auth_expired`, `banned`, `overloaded`, `upstream_fault`, `content_filtered`, `context_length`, `not_found`, `html`, `empty` |
//! | `hang` | never answers |
//! | `close` | closes the connection before any answer |
//! | `cut` | aborts the connection `after_bytes` of the body |
//! | `stall` | sends `after_bytes` of the body, then nothing more |
//! | `error_mid_stream` | `after_events` the platform's own in-stream error, then the end |
//! | `delay` | waits `ms` before the head, or (`"where": "chunk"`) before each event |
//! | `clock` | the platform's clock is `ahead_s` seconds ahead, where handshakes tell the time |
//! | `split` | writes the body in pieces of `bytes`, each flushed; `ms` waits between them |
//!
//! The first four replace the answer: the oldest that fits wins and the others wait.
//! The rest change how an answer is sent, and add up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use super::complaint::Class;

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Fault {
    credential: Option<String>,
    model: Option<String>,
    #[serde(default = "once")]
    times: u64,
    on: Option<On>,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum On {
    Chat,
    Models,
    /// Requests for short-lived keys.
    Keys,
    Any,
    /// A WebSocket's opening, before its request is known.
    Handshake,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Kind {
    Status {
        status: u16,
        #[serde(default)]
        body: Value,
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    Class {
        class: Class,
    },
    Hang,
    Close,
    Cut {
        after_bytes: u64,
    },
    Stall {
        after_bytes: u64,
    },
    ErrorMidStream {
        after_events: u64,
    },
    Delay {
        ms: u64,
        #[serde(default, rename = "where")]
        place: Place,
    },
    Clock {
        ahead_s: i64,
    },
    Split {
        bytes: usize,
        #[serde(default)]
        ms: u64,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    #[default]
    Head,
    Chunk,
}

fn once() -> u64 {
    1
}

/// What replaces an answer.
#[derive(Debug)]
pub(super) enum Instead {
    Status { status: u16, body: Value, headers: BTreeMap<String, String> },
    Class(Class),
    Hang,
    Close,
}

/// What happens to one request.
#[derive(Debug, Default)]
pub(super) struct Misbehaviour {
    pub instead: Option<Instead>,
    pub delay_head_ms: u64,
    pub clock_ahead_s: i64,
    pub manner: Manner,
}

/// How a body is sent.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Manner {
    pub cut_after_bytes: Option<u64>,
    pub stall_after_bytes: Option<u64>,
    pub error_after_events: Option<u64>,
    pub delay_chunk_ms: u64,
    pub split: Option<usize>,
    pub delay_split_ms: u64,
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    any: AtomicBool,
    waiting: Mutex<Vec<Fault>>,
}

impl Faults {
    /// Adds a fault, or a list of them, from the operator's JSON.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn add(&self, body: &[u8]) -> Result<usize, String> {
        let body: Value = serde_json::from_slice(body).map_err(|e| format!("not JSON: {e}"))?;
        let listed = match body {
            Value::Array(list) => list,
            one => vec![one],
        };
        let mut added = Vec::with_capacity(listed.len());
        for fault in listed {
            let fault: Fault = serde_json::from_value(fault).map_err(|e| format!("fault: {e}"))?;
            if let Kind::Status { status, .. } = fault.kind
                && !(200..=599).contains(&status)
            {
                return Err(format!("fault: status {status} is not between 200 and 599"));
            }
            if matches!(fault.kind, Kind::Split { bytes: 0, .. }) {
                return Err("fault: split needs at least 1 byte".to_owned());
            }
            added.push(fault);
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(added);
        self.any.store(true, Relaxed);
        Ok(waiting.len())
    }

    pub(super) fn clear(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.any.store(false, Relaxed);
    }

    /// How many faults wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Takes what a request meets. `credential` is the ledger's masked form.
    pub(super) fn meet(&self, on: On, credential: &str, model: &str) -> Misbehaviour {
        let mut met = Misbehaviour::default();
        if !self.any.load(Relaxed) {
            return met;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain_mut(|fault| {
            if !fault.fits(on, credential, model) || !met.take(&fault.kind) {
                return true;
            }
            let last = fault.times == 1;
            fault.times = fault.times.saturating_sub(1);
            !last
        });
        met
    }
}

impl Fault {
    fn fits(&self, on: On, credential: &str, model: &str) -> bool {
        let lasting = [Class::AuthExpired, Class::Banned].map(|class| Kind::Class { class });
        let default = match self.kind {
            Kind::Clock { .. } => On::Handshake,
            _ if lasting.contains(&self.kind) => On::Any,
            _ => On::Chat,
        };
        let place = self.on.unwrap_or(default);
        let tail = |key: &str| key.trim_start_matches('…').to_owned();
        (place == on || (place == On::Any && on != On::Handshake))
            && self.credential.as_deref().is_none_or(|wanted| tail(wanted) == tail(credential))
            && self.model.as_deref().is_none_or(|wanted| wanted == model)
    }
}

impl Misbehaviour {
    /// Whether the fault acts on this request.
    fn take(&mut self, kind: &Kind) -> bool {
        let manner = &mut self.manner;
        match kind {
            Kind::Cut { after_bytes } => manner.cut_after_bytes = Some(*after_bytes),
            Kind::Stall { after_bytes } => manner.stall_after_bytes = Some(*after_bytes),
            Kind::ErrorMidStream { after_events } => {
                manner.error_after_events = Some(*after_events);
            }
            Kind::Delay { ms, place: Place::Head } => self.delay_head_ms += ms,
            Kind::Delay { ms, place: Place::Chunk } => manner.delay_chunk_ms += ms,
            Kind::Clock { ahead_s } => self.clock_ahead_s += ahead_s,
            Kind::Split { bytes, ms } => {
                manner.split = Some(*bytes);
                manner.delay_split_ms = *ms;
            }
            _ if self.instead.is_some() => return false,
            Kind::Status { status, body, headers } => {
                let (status, body, headers) = (*status, body.clone(), headers.clone());
                self.instead = Some(Instead::Status { status, body, headers });
            }
            Kind::Class { class } => self.instead = Some(Instead::Class(*class)),
            Kind::Hang => self.instead = Some(Instead::Hang),
            Kind::Close => self.instead = Some(Instead::Close),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_meets_as_many_requests_as_it_says() {
        let faults = Faults::default();
        let added = faults.add(
            br#"[{"kind": "class", "class": "overloaded", "credential": "abc123", "times": 2},
                {"kind": "delay", "ms": 5, "times": 0}, {"kind": "hang"}]"#,
        );
        assert_eq!(added, Ok(3));
        let met = faults.meet(On::Chat, "\u{2026}abc123", "m");
        assert!(matches!(met.instead, Some(Instead::Class(Class::Overloaded))));
        assert_eq!(met.delay_head_ms, 5);
        assert!(matches!(faults.meet(On::Chat, "other", "m").instead, Some(Instead::Hang)));
        assert!(faults.meet(On::Chat, "abc123", "m").instead.is_some());
        assert!(faults.meet(On::Chat, "abc123", "m").instead.is_none());
        assert_eq!(faults.len(), 1);
    }

    #[test]
    fn an_unknown_kind_is_refused_in_words() {
        let said = Faults::default().add(br#"{"kind": "explode"}"#);
        assert!(said.is_err_and(|said| said.contains("explode") && said.contains("split")));
    }
}
