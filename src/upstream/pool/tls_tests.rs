//! Against platforms over TLS, which choose the version.

use std::convert::Infallible;
use std::future::pending;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::SignedDuration;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::tests::{ANSWER, ask, listen, next_asked, settings};
use super::*;
use crate::upstream::{Client, Settings};

const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// A certificate, its key, and a place where a platform listens by them.
struct Platform {
    folder: tempfile::TempDir,
    listener: TcpListener,
    url: String,
}

impl Platform {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-days", "2"])
            .current_dir(folder.path())
            .output()
            .expect("openssl is installed");
        assert!(made.status.success(), "{made:?}");
        let (listener, address) = listen().await;
        Self { folder, listener, url: format!("https://localhost:{}/v1", address.port()) }
    }

    fn client(&self, settings: Settings) -> Client {
        let ca_file = Some(self.folder.path().join("cert.pem"));
        Client::new(&Settings { ca_file, ..settings }).unwrap()
    }

    /// Takes what comes, and agrees on this version.
    fn speaks(&self, version: &[u8]) -> TlsAcceptor {
        let file = |name| self.folder.path().join(name);
        let chain: Result<_, _> =
            CertificateDer::pem_file_iter(file("cert.pem")).unwrap().collect();
        let key = PrivateKeyDer::from_pem_file(file("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.unwrap(), key)
            .unwrap();
        tls.alpn_protocols = vec![version.to_vec()];
        TlsAcceptor::from(Arc::new(tls))
    }

    /// Answers one request over HTTP/2, and cuts the connection.
    async fn answer_once(&self, client: &Client) {
        let serving = async { serve_http2(self.take(&self.speaks(H2)).await).await };
        tokio::select! {
            () = serving => {}
            answer = ask(client, &self.url) => assert_eq!(answer.unwrap(), "asks"),
        }
    }

    async fn take(&self, by: &TlsAcceptor) -> TlsStream<TcpStream> {
        let (stream, _) = self.listener.accept().await.unwrap();
        by.accept(stream).await.unwrap()
    }
}

async fn serve_http2(stream: TlsStream<TcpStream>) {
    let answer = service_fn(|request: Request<Incoming>| async {
        assert_eq!(request.version(), http::Version::HTTP_2);
        assert!(!request.headers().contains_key(HOST));
        let asked = request.into_body().collect().await.unwrap().to_bytes();
        Ok::<_, Infallible>(Response::new(Full::new(asked)))
    });
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

/// Waits until a connection that was cut is known to be.
async fn is_forgotten(client: &Client, url: &str) {
    while client.pool.kept(&url.parse().unwrap()).unwrap().take().is_some() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn of_http2_one_connection_serves_all() {
    let platform = Platform::new().await;
    let (client, url) = (platform.client(settings()), platform.url.clone());
    let (taken, cut) = (AtomicUsize::new(0), tokio::sync::Notify::new());
    let serving = async {
        let tls = platform.speaks(H2);
        loop {
            let stream = platform.take(&tls).await;
            taken.fetch_add(1, Ordering::Relaxed);
            tokio::select! {
                () = serve_http2(stream) => {}
                () = cut.notified() => {}
            }
        }
    };
    let asking = async {
        assert_eq!(ask(&client, &url).await.unwrap(), "asks");
        for connections in [1, 2] {
            for answer in join_all((0..20).map(|_| ask(&client, &url))).await {
                assert_eq!(answer.unwrap(), "asks");
            }
            assert_eq!(taken.load(Ordering::Relaxed), connections);
            cut.notify_waiters();
            is_forgotten(&client, &url).await;
        }
    };
    tokio::select! {
        () = serving => {}
        () = asking => {}
    }
}

#[tokio::test]
async fn who_waits_for_a_turn_at_a_platform_that_is_gone_has_sent_nothing() {
    let platform = Platform::new().await;
    let client = platform.client(Settings {
        connect_timeout: SignedDuration::from_millis(300),
        whole_answer_timeout: SignedDuration::from_secs(1),
        ..settings()
    });
    platform.answer_once(&client).await;
    is_forgotten(&client, &platform.url).await;
    // From now on it takes TCP, and says nothing.
    for answer in join_all((0..8).map(|_| ask(&client, &platform.url))).await {
        let failure = answer.unwrap_err();
        assert!(!failure.was_sent(), "{failure}");
    }
}

#[tokio::test]
async fn where_nothing_is_shared_any_more_nobody_waits_for_a_turn() {
    let platform = Platform::new().await;
    let client = platform.client(settings());
    let serving = async {
        platform.answer_once(&client).await;
        is_forgotten(&client, &platform.url).await;
        let tls = platform.speaks(HTTP1);
        let crowd = join_all((0..10).map(|_| ask(&client, &platform.url)));
        let answers = async {
            // Who has the turn learns that there is nothing to share; then all others connect at
            // once, before any of them is answered.
            let mut streams = vec![platform.take(&tls).await];
            let mut others = Vec::new();
            for _ in 1..10 {
                others.push(platform.listener.accept().await.unwrap().0);
            }
            for stream in others {
                streams.push(tls.accept(stream).await.unwrap());
            }
            for mut stream in streams {
                TokioExecutor::new().execute(async move {
                    while next_asked(&mut stream).await.is_some() {
                        stream.write_all(ANSWER.as_bytes()).await.unwrap();
                    }
                });
            }
            pending().await
        };
        tokio::select! {
            answered = crowd => answered.into_iter().for_each(|it| assert_eq!(it.unwrap(), "ok")),
            () = answers => {}
        }
    };
    tokio::time::timeout(Duration::from_secs(30), serving).await.expect("they all connect");
}

#[tokio::test]
async fn who_connects_takes_a_connection_that_comes_back_meanwhile() {
    let platform = Platform::new().await;
    let client = platform.client(settings());
    let serving = async {
        // The first connects; of all others TLS is not answered.
        let mut stream = platform.take(&platform.speaks(HTTP1)).await;
        while next_asked(&mut stream).await.is_some() {
            stream.write_all(ANSWER.as_bytes()).await.unwrap();
        }
    };
    let asking = async {
        assert_eq!(ask(&client, &platform.url).await.unwrap(), "ok");
        for answer in join_all((0..4).map(|_| ask(&client, &platform.url))).await {
            assert_eq!(answer.unwrap(), "ok");
        }
    };
    tokio::select! {
        () = serving => {}
        () = asking => {}
    }
}
