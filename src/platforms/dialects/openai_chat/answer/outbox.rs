//! What goes to the caller of a run of events: a slice of it where nothing changed.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// Output, in order: parts of the run and other bytes.
pub(super) struct Outbox<'a> {
    run: &'a Bytes,
    /// The part of the run that is kept and not yet copied.
    kept: Range<usize>,
    built: BytesMut,
}

impl<'a> Outbox<'a> {
    pub(super) fn new(run: &'a Bytes) -> Outbox<'a> {
        Outbox { run, kept: 0..0, built: BytesMut::new() }
    }

    /// Keeps a part of the run.
    pub(super) fn keep(&mut self, part: Range<usize>) {
        if self.kept.is_empty() {
            self.kept = part;
        } else if self.kept.end == part.start {
            self.kept.end = part.end;
        } else {
            self.flush();
            self.kept = part;
        }
    }

    /// Adds other bytes.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.flush();
        self.built.extend_from_slice(bytes);
    }

    /// Adds data as an event of its own.
    pub(super) fn put_event(&mut self, data: &[u8]) {
        self.flush();
        self.built.extend_from_slice(b"data: ");
        // A line feed between tokens means nothing; in an event it would end the line.
        self.built.extend(data.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }));
        self.built.extend_from_slice(b"\n\n");
    }

    /// Everything, in order.
    pub(super) fn finish(mut self) -> Bytes {
        if self.built.is_empty() {
            return self.run.slice(self.kept);
        }
        self.flush();
        self.built.freeze()
    }

    fn flush(&mut self) {
        let part = std::mem::take(&mut self.kept);
        self.built.extend_from_slice(&self.run[part]);
    }
}
