//! A stream on its way to the caller.
//!
//! Events are translated as they arrive; nothing waits for the end. What is ready
//! goes out together. Dropping the stream is the caller's hang-up: the upstream
//! request is cancelled and the call settled by what was produced.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

use super::attempt::OpenedStream;
use super::call::{Call, Ending};
use super::failure::cleanse;
use crate::platforms::{Credential, Exchange, Fed, PlatformError, Reader, StreamEnd};
use crate::telemetry::clock::Stopwatch;

/// As much as is gathered into one write.
const ENOUGH: usize = 16 << 10;
/// hyper hands over one piece of a body at a time, and asks its connection for the
/// next one only once it was polled again. Coming back until nothing came twice gathers
/// what has arrived already: 32,000 events in 464 writes instead of 32,192.
const LOOKS: u8 = 2;
const COMMENT: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// The body of a streamed answer.
pub struct RelayStream {
    exchange: Exchange,
    /// `None` once the stream has ended.
    upstream: Option<Incoming>,
    /// Output that is not written yet.
    out: Output,
    looks: u8,
    call: Call,
    credential: Credential,
    reader: Reader,
    heard: Stopwatch,
    told: Stopwatch,
    gap: Duration,
    keep_alive: Duration,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl RelayStream {
    pub(super) fn new(
        opened: OpenedStream,
        call: Call,
        gap: Duration,
        keep_alive: Duration,
    ) -> Self {
        let OpenedStream { exchange, body, first, end, credential, reader } = opened;
        let mut stream = Self {
            exchange,
            upstream: Some(body),
            out: Output::default(),
            looks: 0,
            call,
            credential,
            reader,
            heard: Stopwatch::start(),
            told: Stopwatch::start(),
            gap,
            keep_alive,
            alarm: None,
        };
        stream.take(Fed { out: first, end });
        stream
    }

    /// Reads what is ready, up to a write's worth.
    fn read(&mut self, cx: &mut Context<'_>) {
        let mut heard = false;
        while let Some(upstream) = &mut self.upstream {
            let Poll::Ready(frame) = Pin::new(upstream).poll_frame(cx) else { break };
            heard = true;
            let fed = match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.exchange.feed(data),
                    Err(_trailers) => continue,
                },
                None => self.exchange.end(),
                Some(Err(_)) => failed("the platform broke off its answer"),
            };
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
        self.out.push(fed.out);
        match fed.end {
            None => {}
            Some(StreamEnd::Done) => {
                self.upstream = None;
                let (usage, produced) = (self.exchange.usage(), self.exchange.produced());
                self.call.close("ok", Ending::Complete { usage, produced });
            }
            Some(StreamEnd::Failed(mut error)) => {
                cleanse(&mut error.message, &self.credential);
                self.out.push(error.refusal(self.reader).body.event());
                self.upstream = None;
                self.broke_off("upstream_error");
            }
        }
    }

    fn broke_off(&mut self, outcome: &'static str) {
        let (usage, produced) = (self.exchange.usage(), self.exchange.produced());
        self.call.close(outcome, Ending::Broken { usage, produced });
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
        if unwritten > 0 && unwritten < ENOUGH && stream.upstream.is_some() && stream.looks < LOOKS
        {
            stream.looks += 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        stream.looks = 0;
        let bytes = if unwritten > 0 {
            stream.out.take()
        } else if stream.upstream.is_none() {
            return Poll::Ready(None);
        } else {
            ready!(stream.wait(cx))
        };
        stream.told = Stopwatch::start();
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.upstream.is_none() && self.out.len() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// The caller hung up.
impl Drop for RelayStream {
    fn drop(&mut self) {
        self.broke_off("hangup");
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
