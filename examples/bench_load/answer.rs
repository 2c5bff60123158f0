//! An answer as it arrives: its head, its framing, its SSE events.

use std::io;

use crate::wire::{self, Framing};

/// Reads one HTTP/1.1 answer from the pieces in which it arrives.
#[derive(Default)]
pub struct Answer {
    state: State,
    head: Vec<u8>,
    status: u16,
    close: bool,
    lines: Lines,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    Sized(u64),
    ChunkSize(u64),
    ChunkExtension(u64),
    ChunkBytes(u64),
    ChunkEnd,
    Trailer {
        empty: bool,
    },
    Whole,
}

impl Answer {
    /// Takes the next piece.
    ///
    /// # Errors
    /// `InvalidData` when it is not the HTTP that a proxy under test should send.
    pub fn feed(&mut self, mut piece: &[u8]) -> io::Result<()> {
        while !piece.is_empty() {
            piece = self.step(piece)?;
        }
        Ok(())
    }

    /// Whether the answer has ended.
    pub fn is_whole(&self) -> bool {
        self.state == State::Whole
    }

    /// The events that arrived so far, `[DONE]` not counted.
    pub fn events(&self) -> u64 {
        self.lines.events
    }

    /// Whether the connection may carry another request.
    pub fn keep_alive(&self) -> bool {
        !self.close
    }

    /// Holds a whole answer against what was expected.
    ///
    /// # Errors
    /// Another status, an `error` event, or a stream without `[DONE]`.
    pub fn check(&self, status: u16, stream: bool) -> io::Result<()> {
        if self.status != status {
            return Err(invalid(&format!("the answer had status {}", self.status)));
        }
        if self.lines.error {
            return Err(invalid("the stream had an error event"));
        }
        if stream && !self.lines.done {
            return Err(invalid("the stream ended without [DONE]"));
        }
        Ok(())
    }

    fn step<'a>(&mut self, piece: &'a [u8]) -> io::Result<&'a [u8]> {
        let (byte, rest) = piece.split_first().ok_or_else(|| invalid("an empty piece"))?;
        self.state = match self.state {
            State::Head => return self.read_head(piece),
            State::Sized(left) | State::ChunkBytes(left) => {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
                let (body, rest) = piece.split_at(length);
                self.lines.feed(body);
                let left = left - length as u64;
                self.state = match self.state {
                    State::Sized(_) if left == 0 => State::Whole,
                    State::Sized(_) => State::Sized(left),
                    _ if left == 0 => State::ChunkEnd,
                    _ => State::ChunkBytes(left),
                };
                return Ok(rest);
            }
            State::ChunkSize(size) | State::ChunkExtension(size) if *byte == b'\n' => match size {
                0 => State::Trailer { empty: true },
                size => State::ChunkBytes(size),
            },
            State::ChunkSize(size) => match char::from(*byte).to_digit(16) {
                Some(digit) if size < 1 << 40 => State::ChunkSize(size * 16 + u64::from(digit)),
                Some(_) => return Err(invalid("a chunk is too large")),
                None => State::ChunkExtension(size),
            },
            State::ChunkExtension(size) => State::ChunkExtension(size),
            State::ChunkEnd if *byte == b'\n' => State::ChunkSize(0),
            State::ChunkEnd => State::ChunkEnd,
            State::Trailer { empty: true } if *byte == b'\n' => State::Whole,
            State::Trailer { empty } => match byte {
                b'\n' => State::Trailer { empty: true },
                b'\r' => State::Trailer { empty },
                _ => State::Trailer { empty: false },
            },
            State::Whole => return Err(invalid("bytes follow the end of the answer")),
        };
        Ok(rest)
    }

    fn read_head<'a>(&mut self, piece: &'a [u8]) -> io::Result<&'a [u8]> {
        let before = self.head.len();
        self.head.extend_from_slice(piece);
        let Some(end) = wire::head_end(&self.head) else {
            return Ok(&[]);
        };
        self.head.truncate(end);
        self.status = self
            .head
            .get(9..12)
            .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
            .ok_or_else(|| invalid("the status line has no status"))?;
        self.close = wire::header(&self.head, "connection")
            .is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
        self.state = match wire::framing(&self.head) {
            Framing::Sized(0) => State::Whole,
            Framing::Sized(length) => State::Sized(length),
            Framing::Chunked => State::ChunkSize(0),
            Framing::Unknown => return Err(invalid("the answer does not say where it ends")),
        };
        Ok(&piece[end - before..])
    }
}

/// Counts SSE's `data:` lines, keeping of each line no more than tells them apart.
#[derive(Default)]
struct Lines {
    begin: [u8; 16],
    length: usize,
    events: u64,
    done: bool,
    error: bool,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8]) {
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            self.extend(&bytes[from..end]);
            self.end();
            from = end + 1;
        }
        self.extend(&bytes[from..]);
    }

    fn extend(&mut self, part: &[u8]) {
        let room = &mut self.begin[self.length..];
        let length = room.len().min(part.len());
        room[..length].copy_from_slice(&part[..length]);
        self.length += length;
    }

    fn end(&mut self) {
        if let Some(data) = self.begin[..self.length].strip_prefix(b"data:") {
            let data = data.trim_ascii_start();
            self.done |= data.starts_with(b"[DONE]");
            self.error |= data.starts_with(b"{\"error\"");
            self.events += u64::from(!data.starts_with(b"[DONE]"));
        }
        self.length = 0;
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        d\r\ndata: {\"a\":1}\r\n3;x=y\r\n\n\n:\r\n9\r\n\n\ndata: [\r\n7\r\nDONE]\n\n\r\n0\r\nT: 1\r\n\r\n";

    #[test]
    fn a_stream_is_counted_however_it_is_cut() {
        for cut in 1..=STREAM.len() {
            let mut answer = Answer::default();
            for piece in STREAM.chunks(cut) {
                assert!(!answer.is_whole());
                answer.feed(piece).expect("it is valid");
            }
            assert!(answer.is_whole());
            assert_eq!(answer.events(), 1);
            answer.check(200, true).expect("it ended with [DONE]");
        }
    }

    #[test]
    fn a_stream_without_done_is_an_error() {
        let mut answer = Answer::default();
        answer.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ndata: {}\n").expect("valid");
        assert!(answer.is_whole());
        assert!(answer.check(200, true).is_err());
        assert!(answer.check(503, false).is_err());
    }
}
