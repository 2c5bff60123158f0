//! Connections to platforms: a limit on the whole way to one, name, TCP and TLS together, and
//! what is kept for it.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::TryFutureExt;
use futures_util::future::MapOk;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use super::OneWrite;
use super::resolve::CheckedResolver;

/// Connects over TCP, in small writes of one piece: also what TLS makes of them.
#[derive(Clone)]
pub(super) struct OverTcp(pub(super) HttpConnector<CheckedResolver>);

impl Service<Uri> for OverTcp {
    type Response = Tcp;
    type Error = <HttpConnector<CheckedResolver> as Service<Uri>>::Error;
    type Future = MapOk<
        <HttpConnector<CheckedResolver> as Service<Uri>>::Future,
        fn(TokioIo<TcpStream>) -> Tcp,
    >;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        self.0.call(uri).map_ok(OneWrite)
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A connector that gives up after a time.
#[derive(Clone)]
pub(super) struct Timed<C> {
    connector: C,
    within: Duration,
}

impl<C> Timed<C> {
    pub(super) fn new(connector: C, within: Duration) -> Self {
        Self { connector, within }
    }
}

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri, Response = MaybeHttpsStream<Tcp>>,
    C::Error: Into<Failure>,
    C::Future: Send + 'static,
{
    type Response = Wire;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Wire, Failure>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.connector.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.connector.call(uri);
        let within = self.within;
        Box::pin(async move {
            match tokio::time::timeout(within, connecting).await {
                Ok(connected) => connected.map(Wire::from).map_err(Into::into),
                Err(_) => Err(format!("no connection within {within:?}").into()),
            }
        })
    }
}

type Tcp = OneWrite<TokioIo<TcpStream>>;

/// An open connection. What TLS keeps is over a kilobyte, and one without it shall not have
/// room for that.
pub(super) enum Wire {
    Plain(Tcp),
    Tls(Box<MaybeHttpsStream<Tcp>>),
}

impl From<MaybeHttpsStream<Tcp>> for Wire {
    fn from(stream: MaybeHttpsStream<Tcp>) -> Self {
        match stream {
            MaybeHttpsStream::Http(tcp) => Self::Plain(tcp),
            tls @ MaybeHttpsStream::Https(_) => Self::Tls(Box::new(tls)),
        }
    }
}

impl Wire {
    /// Whether TLS agreed on HTTP/2.
    pub(super) fn speaks_h2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.connected().is_negotiated_h2(),
        }
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut dyn Stream> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp),
            Self::Tls(tls) => Pin::new(tls.as_mut()),
        }
    }
}

trait Stream: Read + Write + Unpin {}

impl<S: Read + Write + Unpin> Stream for S {}

impl Read for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buf)
    }
}

impl Write for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(cx, bufs)
    }
}
