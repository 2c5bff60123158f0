//! The laws of the reader of server-sent events.

use bytes::Bytes;
use tributary::front::sse::{Splitter, events};

use super::cuts;

/// What a splitter of few bytes takes.
const FEW: usize = 64;

/// Panics if the reader breaks a law.
pub fn check(input: &[u8]) {
    let ways = cuts::ways(input);
    let mut whole = None;
    for cuts in &ways {
        let got = read(&cuts::pieces(input, cuts));
        let whole = whole.get_or_insert_with(|| got.clone());
        if let Some(at) = (0..got.len().max(whole.len())).find(|at| got.get(*at) != whole.get(*at))
        {
            let show = |all: &[Vec<u8>]| all.get(at).map(|data| data.escape_ascii().to_string());
            let (got, whole) = (show(&got), show(whole));
            panic!("cut at {cuts:?} event {at} is {got:?}, not {whole:?}");
        }
        bounded(&cuts::pieces(input, cuts));
    }
}

/// The data of the events of these pieces; an event without any is none.
fn read(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let (mut splitter, mut all) = (Splitter::default(), Vec::new());
    for piece in pieces {
        let run = splitter.push(Bytes::copy_from_slice(piece)).expect("no input is that long");
        all.extend(data(&run));
    }
    all.extend(data(&splitter.rest()));
    all
}

fn data(run: &[u8]) -> Vec<Vec<u8>> {
    let (mut at, mut all) = (0, Vec::new());
    for event in events(run) {
        assert_eq!(event.place.start, at, "bytes between two events");
        assert!(event.place.end > at, "an event of no bytes");
        at = event.place.end;
        assert!(!event.data.contains(&b'\n'), "data of several lines");
        assert!(!event.data.contains(&b'\r'), "a carriage return, which ends a line, in data");
        if event.is_plain {
            let plain = [b"data: ", &*event.data, b"\n\n"].concat();
            assert_eq!(run[event.place.clone()], plain, "it is not plain");
        }
        if !event.data.is_empty() {
            all.push(event.data.into_owned());
        }
    }
    assert_eq!(at, run.len(), "bytes after the last event");
    all
}

/// No more is kept than was allowed.
fn bounded(pieces: &[&[u8]]) {
    let mut splitter = Splitter::taking(FEW);
    for piece in pieces {
        let refused = splitter.push(Bytes::copy_from_slice(piece)).is_err();
        if refused {
            return;
        }
    }
    assert!(splitter.rest().len() <= FEW, "more is kept than was allowed");
}
