//! One input through one attempt, in pieces.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tributary::front::{ByteCensus, Usage};
use tributary::platforms::{ErrorClass, StreamEnd};

use super::asked::Asked;

/// What came of a stream, as far as cuts may not change it: a fault's words may differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What the caller got.
    pub out: Bytes,
    /// What it broke with, if it did.
    pub broke: Option<(ErrorClass, Option<String>)>,
    /// Whether another account may no longer be tried.
    pub began: bool,
    /// What the books get.
    pub usage: Option<Usage>,
    /// What was produced.
    pub produced: ByteCensus,
    /// The whole answer for a caller who asked for no stream, and its usage.
    pub gathered: Option<(Bytes, Option<Usage>)>,
}

/// More words than this never wait to be taken.
const MOST_WORDS: usize = 64 << 10;

/// Streams these pieces through an attempt.
pub fn stream(asked: &Asked, pieces: &[&[u8]]) -> Outcome {
    let mut exchange = asked.begin();
    let (mut out, mut end) = (Vec::new(), None);
    for piece in pieces {
        let fed = exchange.feed(Bytes::copy_from_slice(piece));
        assert!(end.is_none() || fed.out.is_empty(), "{}: output after the end", asked.name);
        assert!(end.is_none() || fed.end.is_none(), "{}: it ends twice", asked.name);
        out.extend_from_slice(&fed.out);
        end = end.or(fed.end);
        assert!(out.is_empty() || exchange.began(), "{}: output, and not begun", asked.name);
        assert!(exchange.words().waiting() <= MOST_WORDS, "{}: too many words", asked.name);
    }
    let fed = exchange.end();
    assert!(end.is_none() || (fed.out.is_empty() && fed.end.is_none()), "{}", asked.name);
    out.extend_from_slice(&fed.out);
    let broke = match end.or(fed.end) {
        Some(StreamEnd::Done) => None,
        Some(StreamEnd::Failed(error)) => Some((error.class, error.code)),
        None => panic!("{}: it has no end", asked.name),
    };
    let (began, usage, produced) = (exchange.began(), exchange.usage(), exchange.produced());
    let gathered = exchange.gathered().filter(|_| broke.is_none());
    let gathered = gathered.map(|answer| (answer.body, answer.usage));
    Outcome { out: out.into(), broke, began, usage, produced, gathered }
}

/// The same bytes as a whole answer, if they are one.
pub fn whole(asked: &Asked, input: &[u8]) -> Option<Bytes> {
    let answer = asked.begin().whole(&HeaderMap::new(), Bytes::copy_from_slice(input));
    answer.ok().map(|answer| answer.body)
}

/// The same bytes as a refusal: whatever they say, they are understood as something.
pub fn refusal(asked: &Asked, input: &[u8]) {
    for status in [StatusCode::BAD_REQUEST, StatusCode::TOO_MANY_REQUESTS] {
        let error = asked.begin().classify(status, &HeaderMap::new(), input);
        assert!(!error.message.is_empty(), "{}: a refusal without words", asked.name);
    }
}
