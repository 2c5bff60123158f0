//! Server-sent events: where they end, and what they carry.
//!
//! Bytes come cut anywhere; whole events go out as slices of what came wherever
//! no event was cut. Both line endings are taken, comments and other fields than
//! `data` are left out, and a JSON object that stands bare where an event should
//! be (some platforms end a stream with one) counts as its data.

use std::borrow::Cow;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memrchr_iter};

/// Few platforms send an event near this long; another that does is broken or hostile.
pub const LONGEST_EVENT: usize = 1 << 20;

/// The data of the event that ends a complete stream.
pub const DONE: &[u8] = b"[DONE]";

/// The event that ends a complete stream.
pub const DONE_EVENT: &[u8] = b"data: [DONE]\n\n";

/// Cuts bytes into runs of whole events.
pub struct Splitter {
    carry: BytesMut,
    longest: usize,
}

/// An event grew past what a [`Splitter`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than {0} MiB")]
pub struct TooLong(usize);

impl Default for Splitter {
    fn default() -> Splitter {
        Splitter::taking(LONGEST_EVENT)
    }
}

impl Splitter {
    /// One that takes events of up to `longest` bytes, instead of [`LONGEST_EVENT`].
    pub fn taking(longest: usize) -> Splitter {
        Splitter { carry: BytesMut::new(), longest }
    }

    /// Takes bytes and gives back the whole events that are now there, in one run.
    ///
    /// # Errors
    /// When an unfinished event is too long.
    pub fn push(&mut self, bytes: Bytes) -> Result<Bytes, TooLong> {
        if self.carry.is_empty() {
            let end = last_boundary(&bytes, 0);
            self.keep(&bytes[end..])?;
            return Ok(bytes.slice(..end));
        }
        let known = self.carry.len();
        self.carry.extend_from_slice(&bytes);
        // An empty line that ends in what was carried would have been taken before.
        let end = last_boundary(&self.carry, known);
        if self.carry.len() - end > self.longest {
            return Err(self.too_long());
        }
        Ok(self.carry.split_to(end).freeze())
    }

    /// What is left when upstream closes: an event without its empty line, or nothing.
    pub fn rest(&mut self) -> Bytes {
        self.carry.split().freeze()
    }

    fn keep(&mut self, tail: &[u8]) -> Result<(), TooLong> {
        if tail.len() > self.longest {
            return Err(self.too_long());
        }
        self.carry.extend_from_slice(tail);
        Ok(())
    }

    fn too_long(&self) -> TooLong {
        TooLong(self.longest >> 20)
    }
}

/// The end of the last empty line that ends at or after `from`, or 0.
fn last_boundary(bytes: &[u8], from: usize) -> usize {
    let window = bytes.get(from..).unwrap_or_default();
    memrchr_iter(b'\n', window)
        .map(|at| from + at)
        .find(|at| matches!(&bytes[..*at], [.., b'\n'] | [.., b'\n', b'\r']))
        .map_or(0, |at| at + 1)
}

/// One event of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// Where it stands in the run, its empty line included.
    pub place: Range<usize>,
    /// Its data; empty for a comment.
    pub data: Cow<'a, [u8]>,
    /// Whether it is written exactly as we would: `data: `, one line, line feeds.
    pub is_plain: bool,
}

/// The events of a run, in order.
pub struct Events<'a> {
    run: &'a [u8],
    at: usize,
}

/// Walks through the events of a run.
pub fn events(run: &[u8]) -> Events<'_> {
    Events { run, at: 0 }
}

impl<'a> Iterator for Events<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        let rest = self.run.get(self.at..).filter(|rest| !rest.is_empty())?;
        let end = first_boundary(rest);
        let block = &rest[..end];
        let place = self.at..self.at + end;
        self.at += end;
        Some(read(block, place))
    }
}

/// The end of the first event: after its empty line, else all.
fn first_boundary(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = memchr(b'\n', &bytes[at..]) {
        at += found + 1;
        match &bytes[at..] {
            [b'\n', ..] => return at + 1,
            [b'\r', b'\n', ..] => return at + 2,
            _ => {}
        }
    }
    bytes.len()
}

fn read(block: &[u8], place: Range<usize>) -> Event<'_> {
    if let Some(rest) = block.strip_prefix(b"data: ")
        && let Some(line) = memchr(b'\n', rest)
        && rest[line + 1..] == *b"\n"
        && memchr(b'\r', &rest[..line]).is_none()
    {
        return Event { place, data: Cow::Borrowed(&rest[..line]), is_plain: true };
    }
    Event { place, data: data_of(block), is_plain: false }
}

/// The data lines of a block, joined by spaces: to JSON a line's end is one, and what is made of
/// it is written as one line. A carriage return within a line is a blank to JSON too, and would
/// end the line for the caller.
fn data_of(block: &[u8]) -> Cow<'_, [u8]> {
    let mut data: Option<Cow<'_, [u8]>> = None;
    let bare = block.trim_ascii_start().starts_with(b"{");
    for line in block.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let value = match line.strip_prefix(b"data:") {
            Some(value) => value.strip_prefix(b" ").unwrap_or(value),
            // An empty line before it belongs to it or not, as the bytes were cut.
            None if bare && !line.is_empty() => line,
            None => continue,
        };
        data = Some(match data {
            None if memchr(b'\r', value).is_none() => Cow::Borrowed(value),
            None => Cow::Owned(blank(value).collect()),
            Some(before) => {
                let mut joined = before.into_owned();
                joined.push(b' ');
                joined.extend(blank(value));
                Cow::Owned(joined)
            }
        });
    }
    data.unwrap_or_default()
}

/// A line's bytes, a blank for each carriage return.
fn blank(line: &[u8]) -> impl Iterator<Item = u8> {
    line.iter().map(|byte| if *byte == b'\r' { b' ' } else { *byte })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn data(run: &[u8]) -> Vec<String> {
        let text = |event: Event<'_>| String::from_utf8(event.data.into_owned()).unwrap();
        events(run).map(text).collect()
    }

    #[test]
    fn both_line_endings_comments_and_bare_objects_are_read() {
        assert_eq!(data(b"data: a\n\ndata:b\n\n"), ["a", "b"]);
        assert_eq!(data(b"data: a\r\n\r\ndata: b\r\n\r\n"), ["a", "b"]);
        assert_eq!(data(b": hello\n\nid: 1\nevent: x\ndata: a\ndata: b\n\n"), ["", "a b"]);
        assert_eq!(data(b"{\"error\":1}"), ["{\"error\":1}"]);
        assert_eq!(data(b"<html>\n"), [""]);
        assert_eq!(data(b"data: {\r}\n\n"), ["{ }"]);
    }

    #[test]
    fn only_our_own_form_is_plain() {
        for (run, plain) in [
            ("data: a\n\n", true),
            ("data:a\n\n", false),
            ("data: a\r\n\r\n", false),
            ("data: a\n", false),
            ("data: a\ndata: b\n\n", false),
            ("data: {\r}\n\n", false),
            ("data: a\n\u{b}", false),
        ] {
            assert_eq!(events(run.as_bytes()).next().unwrap().is_plain, plain, "{run:?}");
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut splitter = Splitter::default();
        let piece = Bytes::from(vec![b'x'; LONGEST_EVENT / 2 + 1]);
        assert_eq!(splitter.push(piece.clone()), Ok(Bytes::new()));
        assert_eq!(splitter.push(piece), Err(TooLong(1)));
        let mut roomy = Splitter::taking(2 * LONGEST_EVENT);
        let event = [&b"data: "[..], &vec![b'x'; LONGEST_EVENT + 1], b"\n\n"].concat();
        let (first, last) = event.split_at(LONGEST_EVENT + 2);
        assert_eq!(roomy.push(Bytes::copy_from_slice(first)), Ok(Bytes::new()));
        assert_eq!(roomy.push(Bytes::copy_from_slice(last)).unwrap().len(), event.len());
    }

    #[test]
    fn whole_events_are_slices_of_what_came() {
        let came = Bytes::from_static(b"data: a\n\ndata: b\n\ndata: c");
        let mut splitter = Splitter::default();
        let run = splitter.push(came.clone()).unwrap();
        assert_eq!(run.as_ptr(), came.as_ptr());
        assert_eq!(run.len(), 18);
        assert_eq!(splitter.rest(), "data: c");
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(
            text in "(data: ?[a-z]{0,5}\r?\n(\r?\n)?){0,8}",
            cuts in proptest::collection::vec(0usize..200, 0..10),
        ) {
            let mut splitter = Splitter::default();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.push(text.len());
            cuts.sort_unstable();
            let (mut out, mut start) = (Vec::new(), 0);
            for cut in cuts {
                let piece = Bytes::copy_from_slice(&text.as_bytes()[start..cut]);
                out.extend(data(&splitter.push(piece).unwrap()));
                start = cut;
            }
            out.extend(data(&splitter.rest()));
            prop_assert_eq!(out, data(text.as_bytes()));
        }
    }
}
