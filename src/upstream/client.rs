//! Sending one request, and reading its answer.

use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::connect::{OverTcp, Timed};
use super::pool::{Connector, Pool};
use super::resolve::CheckedResolver;
use super::websocket::{self, Within};
use super::{Body, SendFailure, Settings};
use crate::telemetry::within;

/// Of a refusal, this much is read within this time: its status says enough, and another
/// account is to be tried.
const REFUSAL_BYTES: usize = 64 << 10;
const REFUSAL_WITHIN: Duration = Duration::from_secs(5);

/// A pool of connections to platforms.
#[derive(Clone)]
pub struct Client {
    pub(super) pool: Pool,
    /// Speaks HTTP/1.1 alone: each connection becomes a WebSocket.
    websockets: Connector,
    connect: Duration,
    first_byte: Duration,
    whole_answer: Duration,
    gap: Duration,
    max_answer_bytes: usize,
}

/// An answer's head, with its body still to come.
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// What follows; dropping it cancels the request.
    pub body: Body,
}

impl Client {
    /// A client with an empty pool.
    ///
    /// # Errors
    /// When `ca_file` can't be read: the text names the file.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let mut tcp =
            HttpConnector::new_with_resolver(CheckedResolver::new(&settings.allow_private));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let tcp = OverTcp(tcp);
        let connect = settings.connect_timeout.unsigned_abs();
        let tls = tls(settings)?;
        let https = || HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http();
        let every = https().enable_all_versions().wrap_connector(tcp.clone());
        let pool =
            Pool::new(Timed::new(every, connect), connect, settings.idle_timeout.unsigned_abs());
        let websockets = Timed::new(https().enable_http1().wrap_connector(tcp), connect);
        Ok(Self {
            pool,
            websockets,
            connect,
            first_byte: settings.first_byte_timeout.unsigned_abs(),
            whole_answer: settings.whole_answer_timeout.unsigned_abs(),
            gap: settings.gap_timeout.unsigned_abs(),
            max_answer_bytes: settings.max_answer_bytes,
        })
    }

    /// Sends a request whose answer is to be streamed; returns with its head.
    ///
    /// To an address of a WebSocket the body goes as a message, and the answer's body has
    /// the messages that come back.
    pub fn open_stream(
        &self,
        request: Request<Full<Bytes>>,
    ) -> impl Future<Output = Result<Reply, SendFailure>> {
        self.head(Box::new(request), self.first_byte)
    }

    /// Sends a request whose answer is read whole; returns with its head.
    pub fn open_whole(
        &self,
        request: Request<Full<Bytes>>,
    ) -> impl Future<Output = Result<Reply, SendFailure>> {
        self.head(Box::new(request), self.whole_answer)
    }

    /// Tries whether a request of which nothing is wanted but its answer's head is taken; of
    /// a refusal, why. At an address of a WebSocket it is the handshake alone.
    pub async fn knock(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, HeaderMap, Bytes), SendFailure> {
        let (status, headers, body) = if websocket::is_spoken_at(request.uri()) {
            websocket::knock(&self.websockets, request, self.connect).await?
        } else {
            let reply = self.head(Box::new(request), self.first_byte).await?;
            (reply.status, reply.headers, Some(reply.body))
        };
        let why = match body.filter(|_| !status.is_success()) {
            Some(body) => self.glance(body).await,
            None => Bytes::new(),
        };
        Ok((status, headers, why))
    }

    async fn head(
        &self,
        request: Box<Request<Full<Bytes>>>,
        limit: Duration,
    ) -> Result<Reply, SendFailure> {
        if websocket::is_spoken_at(request.uri()) {
            let within = Within { connect: self.connect, first: limit };
            // Boxed: large, and of few platforms.
            return Box::pin(websocket::open(&self.websockets, *request, within)).await;
        }
        let answer = within(limit, pin!(self.pool.send(request))).await;
        let (answer, lent) = answer.ok_or(SendFailure::TimedOut { seconds: limit.as_secs() })??;
        let (head, body) = answer.into_parts();
        Ok(Reply { status: head.status, headers: head.headers, body: Body::Http(body, lent) })
    }

    /// Reads a body to its end.
    pub async fn collect(&self, mut body: Body) -> Result<Bytes, SendFailure> {
        let mut first = Bytes::new();
        let mut joined = BytesMut::new();
        while !body.is_end_stream()
            && let Some(frame) = self.frame(&mut body).await?
        {
            let Ok(data) = frame.into_data() else { continue };
            if first.len().max(joined.len()) + data.len() > self.max_answer_bytes {
                return Err(SendFailure::TooLong { limit: self.max_answer_bytes });
            }
            if first.is_empty() && joined.is_empty() {
                first = data; // Most answers come in one piece, which is then not copied.
            } else {
                if joined.is_empty() {
                    joined.extend_from_slice(&first);
                }
                joined.extend_from_slice(&data);
            }
        }
        Ok(if joined.is_empty() { first } else { joined.freeze() })
    }

    /// Reads why a platform refuses: what comes soon, of what is not too long.
    pub async fn glance(&self, mut body: Body) -> Bytes {
        let mut read = BytesMut::new();
        let reading = async {
            while let Some(Ok(frame)) = body.frame().await {
                let Ok(data) = frame.into_data() else { continue };
                let room = REFUSAL_BYTES - read.len();
                read.extend_from_slice(&data[..data.len().min(room)]);
                if data.len() >= room {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(REFUSAL_WITHIN, reading).await; // What came is enough.
        read.freeze()
    }

    /// A body's next frame, within the longest silence allowed.
    pub async fn frame(
        &self,
        body: &mut Body,
    ) -> Result<Option<hyper::body::Frame<Bytes>>, SendFailure> {
        let next = within(self.gap, body.frame()).await;
        let next = next.ok_or(SendFailure::TimedOut { seconds: self.gap.as_secs() })?;
        next.transpose()
    }

    /// Time to the first byte of a streamed answer.
    pub fn first_byte_timeout(&self) -> Duration {
        self.first_byte
    }

    /// Time to the first byte of a whole answer.
    pub fn whole_answer_timeout(&self) -> Duration {
        self.whole_answer
    }

    /// The longest silence allowed inside an answer.
    pub fn gap(&self) -> Duration {
        self.gap
    }
}

/// Trusts the system's authorities and `ca_file`'s.
fn tls(settings: &Settings) -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if let Some(file) = &settings.ca_file {
        let unreadable =
            |why: &dyn std::fmt::Display| format!("[upstream] ca_file {}: {why}", file.display());
        for certificate in CertificateDer::pem_file_iter(file).map_err(|e| unreadable(&e))? {
            roots.add(certificate.map_err(|e| unreadable(&e))?).map_err(|e| unreadable(&e))?;
        }
    }
    Ok(rustls::ClientConfig::builder_with_provider(
        rustls::crypto::aws_lc_rs::default_provider().into(),
    )
    .with_safe_default_protocol_versions()
    .expect("the provider has the default versions")
    .with_root_certificates(roots)
    .with_no_client_auth())
}
