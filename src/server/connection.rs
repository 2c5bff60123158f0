//! One listener's connections, from accept to drain.

use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::coop::unconstrained;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Settings;
use super::stall::{Taken, Watch, limited};
use crate::api::Body;
use crate::upstream::OneWrite;

/// Also the longest request head on HTTP/1.1.
const MAX_BUFFER_BYTES: usize = 64 << 10;
const MAX_HEAD_BYTES: u32 = 32 << 10;
/// An HTTP/2 caller that does not answer a ping within this has gone.
const H2_PING: Duration = Duration::from_secs(20);
const MAX_H2_STREAMS: u32 = 128;
/// What an HTTP/2 caller says first (RFC 9113, 3.4), and no request of HTTP/1.1 begins with.
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const PAUSE_WHEN_OUT_OF_FILES: Duration = Duration::from_millis(100);

/// Accepts until the drain begins; every connection is in the tracker.
pub(super) async fn accept<S, F>(
    listener: TcpListener,
    settings: Settings,
    tasks: TaskTracker,
    drain: CancellationToken,
    serve: S,
) where
    S: Fn(Request<Incoming>, IpAddr) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let rules = Arc::new(Rules::new(&settings));
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = drain.cancelled() => return rules.drain.begin(),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => (stream, peer.ip()),
                Err(error) => {
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(PAUSE_WHEN_OUT_OF_FILES).await;
                    continue;
                }
            },
        };
        let (rules, serve) = (rules.clone(), serve.clone());
        let serve = move |request| serve(request, peer);
        tasks.spawn(connection(stream, rules, serve));
    }
}

/// How long a connection may do nothing of use.
#[derive(Clone, Copy)]
struct Patience {
    /// Until its first request. hyper watches heads that have begun, but for HTTP/2 and
    /// for a version that can't be told yet nobody else does.
    head: Duration,
    /// While something waits for the caller to take it.
    send: Duration,
    /// Once the drain has begun.
    drain: Duration,
}

/// How connections are served.
struct Rules {
    patience: Patience,
    drain: Drain,
    http1: http1::Builder,
    /// For whoever has begun as HTTP/2 does.
    either: auto::Builder<Watch>,
}

impl Rules {
    fn new(settings: &Settings) -> Self {
        let patience = Patience {
            head: settings.head_timeout.unsigned_abs(),
            send: settings.send_timeout.unsigned_abs(),
            drain: settings.drain_timeout.unsigned_abs(),
        };
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(patience.head)
            .max_buf_size(MAX_BUFFER_BYTES);
        let watch = Watch { limit: patience.send };
        let mut either = auto::Builder::new(watch);
        either
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(patience.head)
            .max_buf_size(MAX_BUFFER_BYTES);
        either
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(H2_PING)
            .keep_alive_timeout(H2_PING)
            .max_concurrent_streams(MAX_H2_STREAMS)
            .max_header_list_size(MAX_HEAD_BYTES);
        Self { patience, drain: Drain::default(), http1, either }
    }
}

/// Whether the drain has begun: a plain load tells it, and who waits for it is woken once. A
/// cancellation token locks something at each look, which a connection has some four times a
/// request.
#[derive(Default)]
struct Drain {
    has_begun: AtomicBool,
    told: Notify,
}

impl Drain {
    fn begin(&self) {
        self.has_begun.store(true, Ordering::Release);
        self.told.notify_waiters();
    }

    fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Acquire)
    }

    /// Completes once the drain has begun.
    async fn begun(&self) {
        // Made before the look: whoever begins the drain after it wakes this.
        let told = self.told.notified();
        if !self.has_begun() {
            told.await;
        }
    }
}

/// Serves one connection. Its future lives as long as a stream, and is kept small.
#[allow(clippy::manual_async_fn, reason = "an async fn keeps its arguments twice")]
fn connection<S, F>(
    stream: TcpStream,
    rules: Arc<Rules>,
    serve: S,
) -> impl Future<Output = ()> + Send + 'static
where
    S: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    async move {
        let _ = stream.set_nodelay(true); // A socket that refuses is about to fail anyway.
        let begins = tokio::select! {
            begins = timeout(rules.patience.head, is_http1(&stream)) => begins,
            () = rules.drain.begun() => return,
        };
        match begins {
            // Not by hyper-util's builder for either version: it hands hyper the bytes that it
            // looked at in a buffer too small for the rest, and the stream keeps a larger one.
            Ok(Some(true)) => {
                let answer = move |request| {
                    let answer = serve(request);
                    async move { Ok::<_, Infallible>(answer.await.map(Taken::new)) }
                };
                let stream = OneWrite(TokioIo::new(limited(stream, rules.patience.send)));
                let connection = pin!(rules.http1.serve_connection(stream, service_fn(answer)));
                let shut = http1::Connection::graceful_shutdown;
                tell(until_drained(connection, shut, &rules).await);
            }
            // Boxed: most connections shall not keep room for it.
            Ok(Some(false)) => Box::pin(either(stream, &rules, serve)).await,
            Ok(None) => {}
            Err(_) => tracing::trace!("a connection said nothing and is cut"),
        }
    }
}

/// Whether what a caller says first is HTTP/1.1 for certain; `None`: it has gone.
async fn is_http1(stream: &TcpStream) -> Option<bool> {
    let mut first = [0; H2_PREFACE.len()];
    let length = stream.peek(&mut first).await.ok().filter(|length| *length > 0)?;
    Some(!H2_PREFACE.starts_with(&first[..length]))
}

/// Serves HTTP/2, or what may still turn out to be HTTP/1.1.
async fn either<S, F>(stream: TcpStream, rules: &Rules, serve: S)
where
    S: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let asked = &AtomicBool::new(false);
    let service = service_fn(move |request| {
        asked.store(true, Ordering::Relaxed);
        // In a box of its own: hyper keeps the room of what it was given for as long as the
        // connection, and a stream needs little of it.
        let answer = Box::pin(serve(request));
        async move { Ok::<_, Infallible>(answer.await.map(Taken::new)) }
    });
    let Rules { patience, either, .. } = rules;
    let stream = OneWrite(TokioIo::new(limited(stream, patience.send)));
    let connection = pin!(either.serve_connection(stream, service));
    let shut = auto::Connection::graceful_shutdown;
    let asks_nothing = async {
        sleep(patience.head).await;
        if asked.load(Ordering::Relaxed) {
            pending().await
        }
    };
    tokio::select! {
        ended = until_drained(connection, shut, rules) => tell(ended),
        () = asks_nothing => tracing::trace!("a connection asked nothing and is cut"),
    }
}

/// Serves a connection to its end. Once the drain has begun it is told so; `None`: it
/// outlived that.
async fn until_drained<C, E>(
    mut connection: Pin<&mut C>,
    shut: impl FnOnce(Pin<&mut C>),
    rules: &Rules,
) -> Option<Result<(), E>>
where
    C: Future<Output = Result<(), E>>,
{
    // Unconstrained: whatever the task has done before, this leaves its waker.
    let mut drain_begun = pin!(unconstrained(rules.drain.begun()));
    let mut is_heard = false;
    let ended = poll_fn(|cx| {
        // A task's waker stays the same: it is left there once.
        if (!std::mem::replace(&mut is_heard, true) || rules.drain.has_begun())
            && drain_begun.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(None);
        }
        connection.as_mut().poll(cx).map(Some)
    });
    if let Some(ended) = ended.await {
        return Some(ended);
    }
    shut(connection.as_mut());
    // Boxed: no room for its timer in a connection that no drain meets.
    Box::pin(timeout(rules.patience.drain, connection)).await.ok()
}

fn tell(ended: Option<Result<(), impl std::fmt::Display>>) {
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::trace!(%error, "connection ended"),
        None => tracing::warn!("a connection outlived the drain and is cut"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a task's own fields it fits a block of 1 KB; the allocator's next has 1,280 bytes, and
    /// each stream keeps one.
    const MOST_CONNECTION_BYTES: usize = 832;

    #[test]
    fn the_future_of_a_connection_is_small_enough_for_a_block_of_a_kilobyte() {
        type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
        fn bytes_of<S: Fn(Request<Incoming>) -> Answer, F>(
            _: impl FnOnce(TcpStream, Arc<Rules>, S) -> F,
            _: &S,
        ) -> usize {
            size_of::<F>()
        }
        let serve = |_: Request<Incoming>| -> Answer { Box::pin(pending()) };
        let bytes = bytes_of(connection, &serve);
        assert!(bytes <= MOST_CONNECTION_BYTES, "{bytes}");
    }
}
