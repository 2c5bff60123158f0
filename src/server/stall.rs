//! Callers that stop reading, and for how long they are waited for.
//!
//! A caller that takes nothing more would hold its stream, its lease and the connection to
//! the platform for ever. A connection whose socket takes no byte within the limit is cut
//! (as by nginx's `send_timeout`). On HTTP/2 a caller can also keep a single stream's window
//! shut while its socket flows: then that stream alone is reset. An answer for which nothing
//! is there to send waits for the platform, and is never cut here.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::{Frame, SizeHint};
use hyper::rt::Executor;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_io_timeout::TimeoutWriter;

use crate::api::Body;

/// A connection that fails when a write waits for longer than the limit.
pub(super) fn limited(stream: TcpStream, limit: Duration) -> Pin<Box<TimeoutWriter<TcpStream>>> {
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(limit));
    Box::pin(stream)
}

tokio::task_local! {
    /// The HTTP/2 stream that is polled just now.
    static STREAM: Arc<Turns>;
}

/// Runs HTTP/2 streams, and ends those whose caller takes nothing within the limit.
#[derive(Clone)]
pub(super) struct Watch {
    pub(super) limit: Duration,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Watch {
    fn execute(&self, stream: F) {
        TokioExecutor::new().execute(watch(stream, self.limit));
    }
}

/// Polls a stream to its end or the caller's. Dropping it resets it, and drops its body.
async fn watch(stream: impl Future<Output = ()>, limit: Duration) {
    let turns = Arc::new(Turns::default());
    let mut stream = pin!(STREAM.scope(turns.clone(), stream));
    let mut alarm: Option<(usize, Pin<Box<Sleep>>)> = None;
    poll_fn(|cx| {
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let Some(turn) = turns.of_the_caller() else {
            alarm = None;
            return Poll::Pending;
        };
        if alarm.as_ref().is_some_and(|(since, _)| *since != turn) {
            alarm = None;
        }
        let (_, alarm) = alarm.get_or_insert_with(|| (turn, Box::pin(sleep(limit))));
        ready!(alarm.as_mut().poll(cx));
        tracing::debug!("a caller takes nothing more of a stream, which is reset");
        Poll::Ready(())
    })
    .await;
}

/// Whose turn it is: even counts are the answer's, to give more; odd ones the caller's, to
/// take what was given. One task alone moves them.
#[derive(Default)]
struct Turns(AtomicUsize);

impl Turns {
    /// The caller's turn, if it is.
    fn of_the_caller(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Relaxed)).filter(|count| count % 2 == 1)
    }

    fn asked(&self) {
        self.0.fetch_add(self.0.load(Ordering::Relaxed) % 2, Ordering::Relaxed);
    }

    fn gave(&self) {
        self.0.fetch_or(1, Ordering::Relaxed);
    }
}

/// A body that tells its HTTP/2 stream when it is asked for more. On HTTP/1.1 it is its
/// connection that is watched.
pub(super) struct Taken {
    body: Body,
    turns: Option<Arc<Turns>>,
}

impl Taken {
    pub(super) fn new(body: Body) -> Self {
        let turns = STREAM.try_with(Arc::clone).ok();
        if let Some(turns) = &turns {
            turns.gave(); // The head.
        }
        Self { body, turns }
    }
}

impl http_body::Body for Taken {
    type Data = <Body as http_body::Body>::Data;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let Self { body, turns } = self.get_mut();
        if let Some(turns) = turns {
            turns.asked();
        }
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if let Some(turns) = turns {
            turns.gave();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(700);

    #[tokio::test(start_paused = true)]
    async fn each_piece_that_is_taken_is_waited_for_anew() {
        let began = tokio::time::Instant::now();
        let pieces = async {
            let turns = STREAM.with(Arc::clone);
            turns.gave();
            for _ in 0..10 {
                sleep(LIMIT * 9 / 10).await;
                turns.asked();
                turns.gave();
            }
        };
        watch(pieces, LIMIT).await;
        assert_eq!(began.elapsed(), LIMIT * 9);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_takes_is_given_up_and_what_is_not_there_yet_is_not() {
        let began = tokio::time::Instant::now();
        let thinks_then_waits = async {
            let turns = STREAM.with(Arc::clone);
            turns.gave();
            turns.asked();
            sleep(LIMIT * 5).await;
            turns.gave();
            std::future::pending().await
        };
        watch(thinks_then_waits, LIMIT).await;
        assert_eq!(began.elapsed(), LIMIT * 6);
    }
}
