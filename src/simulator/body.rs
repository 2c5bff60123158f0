//! The body of an answer, sent as well or as badly as it was asked for.
//!
//! hyper polls this body while the caller reads; when the caller hangs up hyper
//! drops it, and with it the ledger's entry, which then knows of the hang-up.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Sleep;

use super::call::{Part, Pieces, Reply};
use super::faults::Manner;
use super::ledger::Entry;
use super::wire::Wire;

/// The connection is to be aborted here.
#[derive(Debug, thiserror::Error)]
#[error("cut on purpose")]
pub(super) struct Cut;

pub(super) struct AnswerBody {
    source: Source,
    /// None for answers that no ledger knows.
    entry: Option<Entry>,
    manner: Manner,
    /// Bytes that are made and not handed out yet.
    made: Bytes,
    events: u64,
    pause: Pause,
    sleep: Option<Pin<Box<Sleep>>>,
    cut_now: bool,
    /// The delay before the next event has passed.
    waited: bool,
}

enum Source {
    Whole,
    Stream(Box<Streaming>),
    Over,
}

struct Streaming {
    wire: &'static dyn Wire,
    reply: Reply,
    pieces: Pieces,
}

/// What comes before the next bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pause {
    None,
    /// Let hyper flush what it has.
    Flush,
    Sleep(Duration),
}

impl AnswerBody {
    /// A body in one piece.
    pub(super) fn whole(
        body: impl Into<Bytes>,
        entry: Option<Entry>,
        manner: Manner,
    ) -> AnswerBody {
        let made = body.into();
        if let (Some(entry), true) = (&entry, made.is_empty()) {
            entry.finish();
        }
        AnswerBody::new(Source::Whole, made, entry, manner)
    }

    /// A body that is made event by event, as it is read.
    pub(super) fn stream(
        wire: &'static dyn Wire,
        reply: Reply,
        entry: Entry,
        manner: Manner,
    ) -> AnswerBody {
        let pieces = Pieces::of(&reply, wire.habits(&reply.ask));
        let streaming = Streaming { wire, reply, pieces };
        AnswerBody::new(Source::Stream(Box::new(streaming)), Bytes::new(), Some(entry), manner)
    }

    fn new(source: Source, made: Bytes, entry: Option<Entry>, manner: Manner) -> AnswerBody {
        AnswerBody {
            source,
            entry,
            manner,
            made,
            events: 0,
            pause: Pause::None,
            sleep: None,
            cut_now: false,
            waited: false,
        }
    }

    /// Nothing is left of the event that was handed out last.
    pub(super) fn is_between_events(&self) -> bool {
        self.made.is_empty()
    }

    /// Makes the next event.
    fn make(&mut self) {
        let Source::Stream(streaming) = &mut self.source else {
            self.source = Source::Over;
            return;
        };
        let Streaming { wire, reply, pieces } = &mut **streaming;
        let mut out = Vec::with_capacity(320);
        if self.manner.error_after_events.is_some_and(|most| self.events >= most) {
            wire.broken(reply, &mut out);
            self.made = Bytes::from(out);
            self.source = Source::Over;
            return;
        }
        while out.is_empty() {
            let Some(piece) = pieces.next(reply) else {
                self.source = Source::Over;
                return;
            };
            if let Some(entry) = &self.entry {
                entry.wrote(piece.tokens);
            }
            let done = matches!(piece.part, Part::Done);
            wire.event(reply, &piece, &mut out);
            if done {
                self.source = Source::Over;
                if let (Some(entry), true) = (&self.entry, out.is_empty()) {
                    entry.finish();
                }
                break;
            }
        }
        self.events += 1;
        self.made = Bytes::from(out);
    }

    /// Hands out the next bytes of what was made.
    fn hand_out(&mut self) -> Bytes {
        let mut size = self.made.len();
        if let Some(split) = self.manner.split {
            size = size.min(split);
        }
        let Manner { cut_after_bytes, stall_after_bytes, .. } = &mut self.manner;
        for left in [cut_after_bytes, stall_after_bytes].into_iter().flatten() {
            size = size.min(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= size as u64;
        }
        let bytes = self.made.split_to(size);
        if self.manner.split.is_some() && !self.over() {
            self.pause = match self.manner.delay_split_ms {
                0 => Pause::Flush,
                ms => Pause::Sleep(Duration::from_millis(ms)),
            };
        }
        if let Some(entry) = &self.entry {
            entry.sent(bytes.len());
            if self.over() {
                entry.finish();
            }
        }
        bytes
    }

    fn over(&self) -> bool {
        self.made.is_empty() && !matches!(self.source, Source::Stream(_))
    }

    /// Waits for a pause to end.
    fn rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(sleep) = &mut self.sleep {
            std::task::ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
            return Poll::Ready(());
        }
        match std::mem::replace(&mut self.pause, Pause::None) {
            Pause::None => Poll::Ready(()),
            Pause::Flush => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Pause::Sleep(time) => {
                let mut sleep = Box::pin(tokio::time::sleep(time));
                let waits = sleep.as_mut().poll(cx);
                if waits.is_pending() {
                    self.sleep = Some(sleep);
                }
                waits
            }
        }
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = self.get_mut();
        loop {
            std::task::ready!(this.rest(cx));
            if this.cut_now {
                return Poll::Ready(Some(Err(Cut)));
            }
            if this.manner.cut_after_bytes == Some(0) {
                // What was written before must have left, so that the caller sees it.
                this.cut_now = true;
                this.pause = Pause::Sleep(Duration::from_millis(5));
                if let Some(entry) = &this.entry {
                    entry.finish();
                }
                continue;
            }
            if this.manner.stall_after_bytes == Some(0) {
                // Nobody wakes it: it ends when the caller hangs up.
                return Poll::Pending;
            }
            if !this.made.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(this.hand_out()))));
            }
            if this.over() {
                return Poll::Ready(None);
            }
            if this.manner.delay_chunk_ms > 0 && !this.waited {
                this.waited = true;
                this.pause = Pause::Sleep(Duration::from_millis(this.manner.delay_chunk_ms));
                continue;
            }
            this.waited = false;
            this.make();
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over() && self.manner.cut_after_bytes != Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        match self.source {
            Source::Whole => SizeHint::with_exact(self.made.len() as u64),
            _ => SizeHint::default(),
        }
    }
}
