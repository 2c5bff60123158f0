//! Connections to platforms that are kept for the next request.
//!
//! An HTTP/1.1 connection serves one request at a time and lies here between two; of HTTP/2 an
//! origin has one for all. Which of both a platform speaks, ALPN says (RFC 7301).

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use foldhash::fast::RandomState;
use http::header::HOST;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::rt::Executor;
use hyper_rustls::HttpsConnector;
use hyper_util::rt::TokioExecutor;
use tower_service::Service;

use super::SendFailure;
use super::connect::{OverTcp, Timed};
use super::failure::chain;
use super::kept::{Kept, Lent, TICKS};

/// What leads to a platform.
pub(super) type Connector = Timed<HttpsConnector<OverTcp>>;

pub(super) type Sent = Request<Full<Bytes>>;

/// Connections, by origin.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    connector: Connector,
    connect_within: Duration,
    idle_timeout: Duration,
    origins: RwLock<Origins>,
}

#[derive(Default)]
struct Origins {
    plain: ByAuthority,
    secure: ByAuthority,
    /// Someone takes out what lies there for too long.
    is_swept: bool,
}

/// By the authority's text: comparing two as RFC 3986 does, letter by letter whatever their case,
/// takes ten times as long, and what is spelled in two ways may well be kept twice.
type ByAuthority = HashMap<Box<str>, Arc<Kept>, RandomState>;

/// A connection for one request.
pub(super) enum Connection {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Pool {
    /// An empty pool. A connection that nobody used for `idle_timeout` is closed.
    pub(super) fn new(
        connector: Connector,
        connect_within: Duration,
        idle_timeout: Duration,
    ) -> Self {
        Self(Arc::new(Shared {
            connector,
            connect_within,
            idle_timeout,
            origins: RwLock::default(),
        }))
    }

    /// Sends a request, and answers with the head of its answer. What is lent is given back when
    /// it is dropped, which is to be once the answer's end was read. Boxed: it is held on the way.
    pub(super) async fn send(
        &self,
        mut request: Box<Sent>,
    ) -> Result<(Response<Incoming>, Option<Lent>), SendFailure> {
        let url = std::mem::take(request.uri_mut());
        let kept = self.kept(&url)?;
        loop {
            let (connection, is_fresh) = match kept.take() {
                Some(connection) => (connection, false),
                // Boxed: large, and seldom needed.
                None => Box::pin(self.connect_in_time(&kept, &url)).await?,
            };
            let refused = match connection {
                Connection::Http1(mut sender) => {
                    request.headers_mut().entry(HOST).or_insert_with(|| kept.host());
                    *request.uri_mut() = origin_form(&url);
                    match sender.try_send_request(*request).await {
                        Ok(answer) => return Ok((answer, kept.lend(sender))),
                        Err(refused) => refused,
                    }
                }
                Connection::Http2(mut sender) => {
                    request.headers_mut().remove(HOST);
                    *request.uri_mut() = url.clone();
                    match sender.try_send_request(*request).await {
                        Ok(answer) => return Ok((answer, None)),
                        Err(refused) => refused,
                    }
                }
            };
            *request = unsent(refused, is_fresh)?;
        }
    }

    /// What is kept for an address' origin.
    fn kept(&self, url: &Uri) -> Result<Arc<Kept>, SendFailure> {
        let (Some(scheme), Some(authority)) = (url.scheme(), url.authority()) else {
            return Err(SendFailure::NotConnected("the address names no host".into()));
        };
        let origins = self.0.origins.read().unwrap_or_else(PoisonError::into_inner);
        let by_authority = if is_secure(scheme) { &origins.secure } else { &origins.plain };
        if let Some(kept) = by_authority.get(authority.as_str()) {
            return Ok(kept.clone());
        }
        drop(origins);
        let mut origins = self.0.origins.write().unwrap_or_else(PoisonError::into_inner);
        if !self.0.idle_timeout.is_zero() && !std::mem::replace(&mut origins.is_swept, true) {
            let pool = Arc::downgrade(&self.0);
            TokioExecutor::new().execute(sweep(pool, self.0.idle_timeout / TICKS));
        }
        let is_kept = !self.0.idle_timeout.is_zero();
        let origins = &mut *origins;
        let by_authority = if is_secure(scheme) { &mut origins.secure } else { &mut origins.plain };
        let kept = by_authority.entry(authority.as_str().into());
        Ok(kept.or_insert_with(|| Kept::new(scheme, authority, is_kept)).clone())
    }

    /// A connection, and whether it is a new one. Waiting for a turn is part of connecting: who
    /// waits in vain has sent nothing.
    async fn connect_in_time(
        &self,
        kept: &Arc<Kept>,
        url: &Uri,
    ) -> Result<(Connection, bool), SendFailure> {
        let within = self.0.connect_within;
        let late = || SendFailure::NotConnected(format!("no connection within {within:?}"));
        let connecting = self.connect_or_take(kept, url);
        tokio::time::timeout(within, connecting).await.unwrap_or_else(|_| Err(late()))
    }

    async fn connect_or_take(
        &self,
        kept: &Arc<Kept>,
        url: &Uri,
    ) -> Result<(Connection, bool), SendFailure> {
        // Where one connection serves all, one is made: the others wait for it.
        let _turn = kept.turn().await;
        if let Some(connection) = kept.take() {
            return Ok((connection, false));
        }
        let (pool, into, url) = (self.clone(), kept.clone(), url.clone());
        let mut connecting = Box::pin(async move {
            let made = pool.connect(&url).await;
            match &made {
                Ok(Connection::Http2(connection)) => into.share(connection.clone()),
                Ok(Connection::Http1(_)) | Err(_) => into.share_none(),
            }
            made
        });
        tokio::select! {
            biased;
            made = &mut connecting => Ok((made?, true)),
            // Sooner than the new one, which is then kept for the next.
            connection = kept.given_back() => {
                let kept = kept.clone();
                TokioExecutor::new().execute(async move {
                    if let Ok(Connection::Http1(made)) = connecting.await {
                        drop(kept.lend(made));
                    }
                });
                Ok((connection, false))
            }
        }
    }

    async fn connect(&self, url: &Uri) -> Result<Connection, SendFailure> {
        let failed = |error: &dyn std::error::Error| SendFailure::NotConnected(chain(error));
        let wire = self.0.connector.clone().call(url.clone()).await.map_err(|e| failed(&*e))?;
        if wire.speaks_h2() {
            let handshake = http2::handshake(TokioExecutor::new(), wire).await;
            let (sender, connection) = handshake.map_err(|error| failed(&error))?;
            run(connection);
            return Ok(Connection::Http2(sender));
        }
        let handshake = http1::handshake(wire).await;
        let (sender, connection) = handshake.map_err(|error| failed(&error))?;
        run(connection);
        Ok(Connection::Http1(sender))
    }
}

/// Sends a request on a connection of its own, which its answer may turn into something else.
pub(super) async fn send_alone(
    connector: &Connector,
    mut request: Sent,
) -> Result<Response<Incoming>, SendFailure> {
    let failed = |error: &dyn std::error::Error| SendFailure::NotConnected(chain(error));
    let url = request.uri().clone();
    let wire = connector.clone().call(url.clone()).await.map_err(|error| failed(&*error))?;
    let handshake = http1::handshake(wire).await;
    let (mut sender, connection) = handshake.map_err(|error| failed(&error))?;
    run(connection.with_upgrades());
    if let (Some(scheme), Some(authority)) = (url.scheme(), url.authority()) {
        let host = super::kept::host(scheme, authority);
        request.headers_mut().entry(HOST).or_insert(host);
    }
    *request.uri_mut() = origin_form(&url);
    Ok(sender.send_request(request).await?)
}

/// The request, if it may go again: nothing of it went, and the connection had served before.
fn unsent(mut refused: TrySendError<Sent>, is_fresh: bool) -> Result<Sent, SendFailure> {
    match refused.take_message() {
        Some(request) if !is_fresh => Ok(request),
        Some(_) => Err(SendFailure::NotConnected(chain(&refused.into_error()))),
        None => Err(refused.into_error().into()),
    }
}

fn is_secure(scheme: &Scheme) -> bool {
    *scheme == Scheme::HTTPS
}

/// The path alone (RFC 9112, 3.2.1).
fn origin_form(url: &Uri) -> Uri {
    url.path_and_query().cloned().map(Uri::from).unwrap_or_default()
}

/// Lets a connection run until it ends; whoever uses it hears of its failure.
fn run<E>(connection: impl Future<Output = Result<(), E>> + Send + 'static) {
    TokioExecutor::new().execute(async {
        let _ = connection.await;
    });
}

/// Closes what nobody used for long, for as long as there is a pool.
async fn sweep(pool: Weak<Shared>, tick: Duration) {
    loop {
        tokio::time::sleep(tick).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut origins = pool.origins.write().unwrap_or_else(PoisonError::into_inner);
        let Origins { plain, secure, .. } = &mut *origins;
        for by_authority in [plain, secure] {
            by_authority.retain(|_, kept| !kept.tick() || Arc::strong_count(kept) > 1);
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
