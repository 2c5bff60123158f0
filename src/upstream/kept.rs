//! What is kept of one origin's connections.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::HeaderValue;
use http::uri::{Authority, Scheme};
use http_body_util::Full;
use hyper::client::conn::{http1, http2};
use hyper::rt::Executor;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::pool::Connection;

type Http1 = http1::SendRequest<Full<Bytes>>;
type Http2 = http2::SendRequest<Full<Bytes>>;

/// A connection that lay unused is closed with the fifth tick: after four to five of them.
/// Counting them spares each request two looks at a clock.
pub(super) const TICKS: u32 = 5;

/// The connections to one origin that nobody uses just now, and the one that all may use.
pub(super) struct Kept {
    host: HeaderValue,
    is_kept: bool,
    state: Mutex<State>,
    /// Held by who connects, where one connection serves all.
    connecting: tokio::sync::Mutex<()>,
    given_back: Notify,
}

#[derive(Default)]
struct State {
    now: u32,
    /// Each with when it was last used; the latest last.
    idle: Vec<(u32, Http1)>,
    shared: Option<(u32, Http2)>,
    /// It spoke HTTP/2 when it was last connected to.
    speaks_h2: bool,
}

/// An HTTP/1.1 connection whose answer is being read.
pub struct Lent {
    connection: Option<Http1>,
    kept: Arc<Kept>,
}

impl Kept {
    pub(super) fn new(scheme: &Scheme, authority: &Authority, is_kept: bool) -> Arc<Self> {
        Arc::new(Self {
            host: host(scheme, authority),
            is_kept,
            state: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            given_back: Notify::new(),
        })
    }

    /// The `Host` header of its requests.
    pub(super) fn host(&self) -> HeaderValue {
        self.host.clone()
    }

    /// A connection that can take a request.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut state = self.state();
        let now = state.now;
        if let Some((used, connection)) = &mut state.shared {
            if !connection.is_closed() {
                *used = now;
                return Some(Connection::Http2(connection.clone()));
            }
            state.shared = None;
        }
        while let Some((_, connection)) = state.idle.pop() {
            if connection.is_ready() {
                return Some(Connection::Http1(connection));
            }
        }
        None
    }

    /// A turn to connect, if that is one's at a time.
    pub(super) async fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        if !self.speaks_h2() {
            return None;
        }
        let turn = self.connecting.lock().await;
        // Who had it before may have found that there is nothing to share.
        self.speaks_h2().then_some(turn)
    }

    /// A connection that all may use from now on.
    pub(super) fn share(&self, connection: Http2) {
        if !self.is_kept {
            return;
        }
        let mut state = self.state();
        state.speaks_h2 = true;
        // Of several that were made at once, the first.
        if state.shared.as_ref().is_none_or(|(_, it)| it.is_closed()) {
            state.shared = Some((state.now, connection));
        }
        drop(state);
        self.given_back.notify_waiters();
    }

    /// There is none that all may use: each connects for itself.
    pub(super) fn share_none(&self) {
        self.state().speaks_h2 = false;
    }

    fn speaks_h2(&self) -> bool {
        self.state().speaks_h2
    }

    /// Waits for a connection that another has done with.
    pub(super) async fn given_back(&self) -> Connection {
        loop {
            let given_back = self.given_back.notified();
            if let Some(connection) = self.take() {
                return connection;
            }
            given_back.await;
        }
    }

    /// Lends a connection for as long as its answer is read; `None`: it came whole already.
    pub(super) fn lend(self: &Arc<Self>, connection: Http1) -> Option<Lent> {
        let lent = Lent { connection: Some(connection), kept: self.clone() };
        let came_whole = lent.connection.as_ref().is_some_and(Http1::is_ready);
        (!came_whole).then_some(lent)
    }

    /// Counts a tick, and drops what lay for too long; answers whether nothing is left.
    pub(super) fn tick(&self) -> bool {
        let mut state = self.state();
        state.now = state.now.wrapping_add(1);
        let now = state.now;
        let is_old = |used: u32| now.wrapping_sub(used) >= TICKS;
        state.idle.retain(|(used, connection)| !is_old(*used) && !connection.is_closed());
        if state.shared.as_ref().is_some_and(|(used, it)| is_old(*used) || it.is_closed()) {
            state.shared = None;
        }
        state.idle.is_empty() && state.shared.is_none()
    }

    fn put(&self, connection: Http1) {
        if self.is_kept {
            let mut state = self.state();
            let now = state.now;
            state.idle.push((now, connection));
            drop(state);
            self.given_back.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if connection.is_ready() {
            return self.kept.put(connection);
        }
        // The end of its answer may be on its way still. If it is not, or was not waited for,
        // the connection closes.
        if connection.is_closed() || !self.kept.is_kept || Handle::try_current().is_err() {
            return;
        }
        let kept = self.kept.clone();
        TokioExecutor::new().execute(async move {
            if connection.ready().await.is_ok() {
                kept.put(connection);
            }
        });
    }
}

/// An origin's `Host` header, without the scheme's own port (RFC 9110, 7.2) and user.
pub(super) fn host(scheme: &Scheme, authority: &Authority) -> HeaderValue {
    let usual = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    let text = match authority.port_u16() {
        Some(port) if port != usual => format!("{}:{port}", authority.host()),
        _ => authority.host().to_owned(),
    };
    HeaderValue::try_from(text).expect("a host has no letter that a header can't have")
}
