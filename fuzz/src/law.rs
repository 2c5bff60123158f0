//! The laws of every dialect's stream.

use serde::de::IgnoredAny;
use tributary::front::sse::DONE_EVENT;

use super::asked::Asked;
use super::cuts;
use super::run::{self, Outcome};

/// The most that is written for one byte: an event's frame for the shortest event.
const MOST_A_BYTE: usize = 64;

/// What is written whatever comes: the opening, the finish, usage.
const FRAME: usize = 4096;

/// Panics if an answer to this request breaks a law.
pub fn check(asked: &Asked, input: &[u8]) {
    let mut first = None;
    for cuts in cuts::ways(input) {
        let got = run::stream(asked, &cuts::pieces(input, &cuts));
        match &first {
            None => {
                written(asked, &got);
                bounded(asked, &got.out, input);
                first = Some(got);
            }
            Some(whole) => same(asked, whole, &got, &cuts),
        }
    }
    if let Some((body, _)) = first.and_then(|whole| whole.gathered) {
        bounded(asked, &body, input);
        assert!(is_json(&body), "{}: the gathered answer is no JSON", asked.name);
    }
    if let Some(body) = run::whole(asked, input) {
        bounded(asked, &body, input);
        assert!(!asked.written || is_json(&body), "{}: the answer is no JSON", asked.name);
    }
    run::refusal(asked, input);
}

fn same(asked: &Asked, whole: &Outcome, cut: &Outcome, cuts: &[usize]) {
    assert!(
        whole == cut,
        "{}: cut at {cuts:?} it is another answer\n  whole {whole:?}\n  cut   {cut:?}",
        asked.name
    );
}

fn bounded(asked: &Asked, out: &[u8], input: &[u8]) {
    let most = FRAME + MOST_A_BYTE * input.len();
    assert!(out.len() <= most, "{}: {} bytes of {}", asked.name, out.len(), input.len());
}

/// Events that any reader of server-sent events reads, `[DONE]` at the end of a whole answer.
fn written(asked: &Asked, got: &Outcome) {
    let name = &asked.name;
    let Some(before) = got.out.strip_suffix(DONE_EVENT) else {
        assert!(got.broke.is_some() || got.out.is_empty(), "{name}: whole, and no [DONE]");
        assert!(got.broke.is_some() || got.gathered.is_some(), "{name}: whole, and no answer");
        return events(asked, &got.out);
    };
    assert!(got.broke.is_none(), "{name}: broken, and [DONE]");
    events(asked, before);
}

fn events(asked: &Asked, out: &[u8]) {
    let name = &asked.name;
    if out.is_empty() {
        return;
    }
    let events = out.strip_suffix(b"\n\n");
    let events = events.unwrap_or_else(|| panic!("{name}: an event without its end"));
    // Both end a line; one in an event's midst would end its data.
    for line in events.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let Some(data) = line.strip_prefix(b"data: ") else {
            assert!(line.is_empty(), "{name}: a line that is no data: {}", shown(line));
            continue;
        };
        assert!(data != b"[DONE]", "{name}: [DONE], and more follows");
        assert!(!asked.written || is_json(data), "{name}: no JSON: {}", shown(data));
    }
    let blank = events.windows(3).any(|three| three == b"\n\n\n");
    assert!(!blank && !events.starts_with(b"\n"), "{name}: an event of nothing");
}

/// Strict but for lone surrogates, which some platforms send.
fn is_json(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
