//! What an event of a stream costs in each dialect, against one that is passed on.
//!
//! `cargo bench --bench dialects [-- quick]`. Recorded streams of the fixtures, their texts
//! repeated, go through each dialect's translation in pieces as a socket gives them; nothing
//! else runs. Printed is this process's CPU by event and by byte that came, and both as a
//! share of the first row: chat completions that go on as they came.

#![allow(clippy::unwrap_used, reason = "a bench says what is wrong by panicking")]

#[path = "dialects/recorded.rs"]
mod recorded;

use bytes::Bytes;
use recorded::{Recorded, recorded};
use tributary::platforms::StreamEnd;

/// A socket's read.
const PIECE: usize = 16 << 10;

fn main() {
    let is_quick = std::env::args().any(|arg| arg == "quick");
    let (times, rounds) = if is_quick { (1, 1) } else { (40, 9) };
    let streams = recorded(2_000);
    println!(
        "dialect                          bytes   ns an event   ns a byte   an event   a byte"
    );
    let mut costs = vec![f64::MAX; streams.len()];
    // In turns, so that a busy neighbour meets all of them; the least disturbed round counts.
    for _ in 0..rounds {
        for (cost, stream) in costs.iter_mut().zip(&streams) {
            *cost = cost.min(event_ns(stream, times));
        }
    }
    for (cost, stream) in costs.iter().zip(&streams) {
        let size = stream.bytes.len() as f64 / stream.events as f64;
        let passed = &streams[0];
        let passed_size = passed.bytes.len() as f64 / passed.events as f64;
        println!(
            "{:<30} {size:>7.0} {cost:>13.0} {:>11.2} {:>10.2} {:>8.2}",
            stream.name,
            cost / size,
            cost / costs[0],
            (cost / size) / (costs[0] / passed_size),
        );
    }
}

/// Nanoseconds of CPU an event, of so many streams; the scheduler counts in milliseconds.
fn event_ns(stream: &Recorded, times: usize) -> f64 {
    let began = cpu_ns();
    for _ in 0..times {
        feed(stream);
    }
    (cpu_ns() - began) as f64 / (stream.events * times) as f64
}

fn feed(stream: &Recorded) {
    let mut exchange = stream.begin();
    let mut end = None;
    let mut came = stream.bytes.clone();
    while !came.is_empty() {
        let fed = exchange.feed(came.split_to(PIECE.min(came.len())));
        std::hint::black_box::<&Bytes>(&fed.out);
        // As the relay does, so that a tokenizer gets them.
        if exchange.words().waiting() > 4 << 10 {
            std::hint::black_box(exchange.words().take_words());
        }
        end = end.or(fed.end);
    }
    assert_eq!(end.or(exchange.end().end), Some(StreamEnd::Done), "{}", stream.name);
}

/// The CPU that this thread had, from Linux' scheduler.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}
