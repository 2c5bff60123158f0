//! One listener's connections, from accept to drain.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Settings;
use super::stall::{Taken, Watch, limited};
use crate::api::Body;

/// Also the longest request head on HTTP/1.1.
const MAX_BUFFER_BYTES: usize = 64 << 10;
const MAX_HEAD_BYTES: u32 = 32 << 10;
/// An HTTP/2 caller that does not answer a ping within this has gone.
const H2_PING: Duration = Duration::from_secs(20);
const MAX_H2_STREAMS: u32 = 128;
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
    let builder = builder(&settings);
    let patience = Patience {
        head: settings.head_timeout.unsigned_abs(),
        send: settings.send_timeout.unsigned_abs(),
        drain: settings.drain_timeout.unsigned_abs(),
    };
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => (stream, peer.ip()),
                Err(error) => {
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(PAUSE_WHEN_OUT_OF_FILES).await;
                    continue;
                }
            },
            () = drain.cancelled() => return,
        };
        let (builder, drain, serve) = (builder.clone(), drain.clone(), serve.clone());
        let serve = move |request| serve(request, peer);
        tasks.spawn(connection(stream, builder, patience, drain, serve));
    }
}

/// How long a connection may do nothing of use.
#[derive(Clone, Copy)]
struct Patience {
    /// Until its first request. hyper watches the heads that follow, but for HTTP/2 and
    /// for a version that can't be told yet nobody else does.
    head: Duration,
    /// While something waits for the caller to take it.
    send: Duration,
    /// Once the drain has begun.
    drain: Duration,
}

fn builder(settings: &Settings) -> Builder<Watch> {
    let mut builder = Builder::new(Watch { limit: settings.send_timeout.unsigned_abs() });
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_timeout.unsigned_abs())
        .max_buf_size(MAX_BUFFER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(H2_PING)
        .keep_alive_timeout(H2_PING)
        .max_concurrent_streams(MAX_H2_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES);
    builder
}

async fn connection<S, F>(
    stream: TcpStream,
    builder: Builder<Watch>,
    patience: Patience,
    drain: CancellationToken,
    serve: S,
) where
    S: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let _ = stream.set_nodelay(true); // A socket that refuses is about to fail anyway.
    let asked = &AtomicBool::new(false);
    let service = service_fn(move |request| {
        asked.store(true, Ordering::Relaxed);
        // In a box of its own: hyper keeps the room of what it was given for as long as the
        // connection, and a stream needs little of it.
        let answer = Box::pin(serve(request));
        async move { Ok::<_, Infallible>(answer.await.map(Taken::new)) }
    });
    let stream = TokioIo::new(limited(stream, patience.send));
    let mut connection = pin!(builder.serve_connection(stream, service));
    let mut drained = pin!(drain.cancelled());
    let mut alarm = pin!(sleep(patience.head));
    let mut draining = false;
    let ended = poll_fn(|cx| {
        if !draining && drained.as_mut().poll(cx).is_ready() {
            draining = true;
            connection.as_mut().graceful_shutdown();
            alarm.as_mut().reset(Instant::now() + patience.drain);
        }
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(ended));
        }
        let is_watched = draining || !asked.load(Ordering::Relaxed);
        if is_watched && alarm.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await;
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::trace!(%error, "connection ended"),
        None if draining => tracing::warn!("a connection outlived the drain and is cut"),
        None => tracing::trace!("a connection asked nothing and is cut"),
    }
}
