//! A stream on its way to the caller.
//!
//! Events are translated as they arrive; nothing waits for the end. What is ready
//! goes out together. Dropping the stream is the caller's hang-up: the upstream
//! request is cancelled and the call settled by what was produced, or it is drained.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::Sleep;

use super::attempt::OpenedStream;
use super::call::{Call, Ending};
use super::drain::{Draining, Limits};
use super::failure::cleanse;
use super::words::PIECE;
use crate::front::Usage;
use crate::platforms::{Exchange, Fed, PlatformError, Reader, Secrets, StreamEnd};
use crate::telemetry::clock::Stopwatch;
use crate::upstream::{self, SendFailure};

/// As much as is gathered into one write.
const ENOUGH: usize = 16 << 10;
/// hyper hands over one piece of a body at a time, and asks its connection for the
/// next one only once it was polled again. Coming back until nothing came twice gathers
/// what has arrived already: 32,000 events in 464 writes instead of 32,192.
const LOOKS: u8 = 2;
const COMMENT: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// An answer that the platform is still sending. Dropping it cancels the upstream request
/// and settles the call by what was produced.
pub(super) struct Live {
    exchange: Exchange,
    upstream: upstream::Body,
    call: Call,
    /// To take out of the platform's words, should it repeat them.
    secrets: Secrets,
    reader: Reader,
}

/// The body of a streamed answer.
pub struct RelayStream {
    /// `None` once the stream has ended.
    live: Option<Live>,
    /// Output that is not written yet.
    out: Output,
    looks: u8,
    heard: Stopwatch,
    told: Stopwatch,
    gap: Duration,
    keep_alive: Duration,
    alarm: Option<Pin<Box<Sleep>>>,
    /// Where it goes on when the caller hangs up; `None`: nowhere.
    draining: Option<Arc<Draining>>,
}

impl Live {
    /// Takes the next frame's worth of the platform's words.
    fn feed(&mut self, frame: Option<Result<Frame<Bytes>, SendFailure>>) -> Fed {
        let fed = match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => self.exchange.feed(data),
                Err(_trailers) => Fed::default(),
            },
            None => self.exchange.end(),
            Some(Err(_)) => failed("the platform broke off its answer"),
        };
        if self.exchange.words().waiting() >= PIECE {
            let words = self.exchange.words().take_words();
            self.call.spoke(words);
        }
        fed
    }

    /// The answer is complete.
    fn complete(&mut self, outcome: &'static str) {
        self.ended(outcome, self.exchange.usage());
    }

    /// The platform has said its last word on what it used, or gives none.
    fn ended(&mut self, outcome: &'static str, usage: Option<Usage>) {
        let produced = std::mem::take(self.exchange.words());
        self.call.close(outcome, Ending::Complete { usage, produced });
    }

    fn broke_off(&mut self, outcome: &'static str) {
        let usage = self.exchange.usage();
        let produced = std::mem::take(self.exchange.words());
        self.call.close(outcome, Ending::Broken { usage, produced });
    }

    /// Reads on for the platform's figure, to the answer's end or a limit.
    pub(super) async fn run_out(&mut self, limits: Limits) {
        let produced = |live: &Self| {
            let learned = live.call.learned();
            learned.map_or(0, |learned| learned.answer(live.exchange.produced()).0)
        };
        let most = produced(self).saturating_add(limits.tokens);
        while produced(self) <= most {
            let frame = tokio::time::timeout(limits.gap, self.upstream.frame()).await;
            let Ok(frame) = frame else { return };
            match self.feed(frame).end {
                None => {}
                Some(StreamEnd::Done) => return self.complete("hangup"),
                Some(StreamEnd::Failed(_)) => return,
            }
        }
    }
}

/// Nobody wants it any more.
impl Drop for Live {
    fn drop(&mut self) {
        self.broke_off("hangup");
    }
}

impl RelayStream {
    pub(super) fn new(
        opened: OpenedStream,
        call: Call,
        gap: Duration,
        keep_alive: Duration,
        draining: Option<Arc<Draining>>,
    ) -> Self {
        let OpenedStream { exchange, body: upstream, first, end, proof, reader } = opened;
        let mut stream = Self {
            live: Some(Live { exchange, upstream, call, secrets: proof.into_secrets(), reader }),
            out: Output::default(),
            looks: 0,
            heard: Stopwatch::start(),
            told: Stopwatch::start(),
            gap,
            keep_alive,
            alarm: None,
            draining,
        };
        stream.take(Fed { out: first, end });
        stream
    }

    /// Reads what is ready, up to a write's worth.
    fn read(&mut self, cx: &mut Context<'_>) {
        let mut heard = false;
        while let Some(live) = &mut self.live {
            let Poll::Ready(frame) = Pin::new(&mut live.upstream).poll_frame(cx) else { break };
            heard = true;
            let fed = live.feed(frame);
            self.take(fed);
            if self.out.len() >= ENOUGH {
                break;
            }
        }
        if heard {
            self.looks = 0;
            // Also by what gives no output: a platform that says "still thinking" is alive.
            self.heard = Stopwatch::start();
        }
    }

    fn take(&mut self, fed: Fed) {
        if let Some(live) = &mut self.live {
            live.call.answered(&fed.out);
        }
        self.out.push(fed.out);
        let Some(end) = fed.end else { return };
        let Some(mut live) = self.live.take() else { return };
        match end {
            StreamEnd::Done => live.complete("ok"),
            StreamEnd::Failed(mut error) => {
                cleanse(&mut error.message, &live.secrets.all());
                self.out.push(error.refusal(live.reader).body.event());
                match error.billed {
                    Some(usage) => live.ended("upstream_error", Some(*usage)),
                    None => live.broke_off("upstream_error"),
                }
            }
        }
    }

    /// Nothing is ready: sleeps until something is, the caller needs a sign of life, or
    /// the platform has been silent for too long.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        loop {
            let left = (self.gap.saturating_sub(self.heard.elapsed()))
                .min(self.keep_alive.saturating_sub(self.told.elapsed()));
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(left)));
            ready!(alarm.as_mut().poll(cx));
            self.alarm = None;
            if self.heard.elapsed() >= self.gap {
                self.take(failed("the platform fell silent"));
                return Poll::Ready(self.out.take());
            }
            if self.told.elapsed() >= self.keep_alive {
                return Poll::Ready(COMMENT);
            }
        }
    }
}

impl Body for RelayStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let stream = self.get_mut();
        stream.read(cx);
        let unwritten = stream.out.len();
        if unwritten > 0 && unwritten < ENOUGH && stream.live.is_some() && stream.looks < LOOKS {
            stream.looks += 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        stream.looks = 0;
        let bytes = if unwritten > 0 {
            stream.out.take()
        } else if stream.live.is_none() {
            return Poll::Ready(None);
        } else {
            ready!(stream.wait(cx))
        };
        stream.told = Stopwatch::start();
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.live.is_none() && self.out.len() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// The caller hung up.
impl Drop for RelayStream {
    fn drop(&mut self) {
        if let (Some(live), Some(draining)) = (self.live.take(), &self.draining) {
            draining.drain(live);
        }
    }
}

fn failed(why: &str) -> Fed {
    Fed { out: Bytes::new(), end: Some(StreamEnd::Failed(PlatformError::fault(why))) }
}

/// Pieces of output, copied only when there are several.
#[derive(Default)]
struct Output {
    first: Bytes,
    joined: BytesMut,
}

impl Output {
    fn push(&mut self, piece: Bytes) {
        if piece.is_empty() {
        } else if self.len() == 0 {
            self.first = piece;
        } else {
            if self.joined.is_empty() {
                self.joined.reserve((self.first.len() + piece.len()).max(4 << 10));
                self.joined.extend_from_slice(&self.first);
                self.first = Bytes::new();
            }
            self.joined.extend_from_slice(&piece);
        }
    }

    fn len(&self) -> usize {
        self.first.len() + self.joined.len()
    }

    fn take(&mut self) -> Bytes {
        if self.joined.is_empty() {
            std::mem::take(&mut self.first)
        } else {
            std::mem::take(&mut self.joined).freeze()
        }
    }
}
