//! One listener's connections, from accept to drain.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Settings;
use crate::api::Body;

/// Also the longest request head on HTTP/1.1.
const MAX_BUFFER_BYTES: usize = 64 << 10;
const MAX_HEAD_BYTES: u32 = 32 << 10;
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
    S: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let builder = builder(&settings);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(PAUSE_WHEN_OUT_OF_FILES).await;
                    continue;
                }
            },
            () = drain.cancelled() => return,
        };
        tasks.spawn(connection(stream, builder.clone(), drain.clone(), serve.clone()));
    }
}

fn builder(settings: &Settings) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.head_timeout.unsigned_abs())
        .max_buf_size(MAX_BUFFER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_H2_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES);
    builder
}

async fn connection<S, F>(
    stream: TcpStream,
    builder: Builder<TokioExecutor>,
    drain: CancellationToken,
    serve: S,
) where
    S: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let _ = stream.set_nodelay(true); // A socket that refuses is about to fail anyway.
    let service = service_fn(move |request| {
        let answer = serve(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = drain.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "connection ended");
    }
}
