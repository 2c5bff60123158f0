//! A text as it reads once its escapes are taken off, with the way back to where each
//! byte stood.

use std::borrow::Cow;
use std::ops::Range;

use zeroize::Zeroizing;

/// How often escapes are taken off: JSON within JSON, a URL within JSON.
const DEPTH: usize = 2;

/// One reading of a text.
pub(super) struct View<'t> {
    bytes: Cow<'t, [u8]>,
    /// Where in the text each byte's escape begins, and the text's end; empty where the
    /// view is the text itself.
    sources: Vec<usize>,
}

impl View<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where in the text a range of this view came from.
    pub(super) fn source(&self, range: Range<usize>) -> (usize, usize) {
        (self.origin(range.start), self.origin(range.end))
    }

    fn origin(&self, at: usize) -> usize {
        self.sources.get(at).copied().unwrap_or(at)
    }

    /// This view with one kind of escape taken off; `None` when it has none.
    fn without(&self, escape: Escape) -> Option<View<'static>> {
        memchr::memchr(escape.mark, &self.bytes)?;
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut sources = Vec::with_capacity(self.bytes.len() + 1);
        let mut found = false;
        let mut at = 0;
        while let Some(rest) = self.bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let read = if rest[0] == escape.mark { (escape.read)(&rest[1..]) } else { None };
            found |= read.is_some();
            let (piece, used) = read.unwrap_or((Piece::byte(rest[0]), 0));
            bytes.extend_from_slice(piece.as_slice());
            sources.resize(bytes.len(), self.origin(at));
            at += 1 + used;
        }
        sources.push(self.origin(at));
        found.then_some(View { bytes: Cow::Owned(bytes), sources })
    }
}

impl Drop for View<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(bytes) = &mut self.bytes {
            drop(Zeroizing::new(std::mem::take(bytes)));
        }
    }
}

/// The text, and every other reading of it.
pub(super) fn views(text: &str) -> Vec<View<'_>> {
    let mut all = vec![View { bytes: Cow::Borrowed(text.as_bytes()), sources: Vec::new() }];
    let mut from = 0;
    for _ in 0..DEPTH {
        let to = all.len();
        for at in from..to {
            let deeper = [JSON, PERCENT].into_iter().filter_map(|escape| all[at].without(escape));
            all.extend(deeper.collect::<Vec<_>>());
        }
        from = to;
    }
    all
}

/// A kind of escape: the byte that it begins with, and how what follows is read: into
/// what it stands for and the number of bytes used.
#[derive(Clone, Copy)]
struct Escape {
    mark: u8,
    read: fn(&[u8]) -> Option<(Piece, usize)>,
}

const PERCENT: Escape =
    Escape { mark: b'%', read: |rest| Some((Piece::byte(hex::<2>(rest)? as u8), 2)) };

const JSON: Escape = Escape { mark: b'\\', read: read_json };

fn read_json(rest: &[u8]) -> Option<(Piece, usize)> {
    let piece = match *rest.first()? {
        byte @ (b'"' | b'\\' | b'/') => Piece::byte(byte),
        b'b' => Piece::byte(8),
        b'f' => Piece::byte(12),
        b'n' => Piece::byte(b'\n'),
        b'r' => Piece::byte(b'\r'),
        b't' => Piece::byte(b'\t'),
        b'u' => return read_unicode(&rest[1..]).map(|(piece, used)| (piece, 1 + used)),
        _ => return None,
    };
    Some((piece, 1))
}

fn read_unicode(rest: &[u8]) -> Option<(Piece, usize)> {
    let unit = hex::<4>(rest)?;
    if let Some(only) = char::from_u32(unit) {
        return Some((Piece::char(only), 4));
    }
    let low = hex::<4>(rest.get(4..)?.strip_prefix(b"\\u")?)?;
    if !(0xd800..0xdc00).contains(&unit) || !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    let both = char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?;
    Some((Piece::char(both), 10))
}

fn hex<const N: usize>(text: &[u8]) -> Option<u32> {
    text.first_chunk::<N>()?.iter().try_fold(0, |number, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(number << 4 | digit)
    })
}

/// What an escape stands for: one byte, or one character.
struct Piece {
    bytes: [u8; 4],
    len: usize,
}

impl Piece {
    fn byte(byte: u8) -> Self {
        Self { bytes: [byte, 0, 0, 0], len: 1 }
    }

    fn char(char: char) -> Self {
        let mut bytes = [0; 4];
        let len = char.encode_utf8(&mut bytes).len();
        Self { bytes, len }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
