//! Against peers that do what a test wants of them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::SignedDuration;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::upstream::{Client, Settings};

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn settings() -> Settings {
    Settings { allow_private: vec!["127.0.0.1".into(), "localhost".into()], ..Settings::default() }
}

fn client() -> Client {
    Client::new(&settings()).unwrap()
}

fn request(url: &str) -> Sent {
    Request::post(url).body(Full::from("asks")).unwrap()
}

/// Reads a request, and answers its head.
async fn asked(peer: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\nasks") {
        assert_ne!(peer.read_buf(&mut read).await.unwrap(), 0, "gone after {read:?}");
    }
    String::from_utf8(read).unwrap()
}

async fn ask(client: &Client, url: &str) -> Result<Bytes, SendFailure> {
    let reply = client.open_whole(request(url)).await?;
    client.collect(reply.body).await
}

/// Whether the other side has closed it.
async fn is_closed(peer: &mut TcpStream) -> bool {
    matches!(peer.read(&mut [0; 64]).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let (listener, address) = listen().await;
    let (client, url) = (client(), format!("http://{address}/v1/chat?a=b"));
    let platform = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        for _ in 0..3 {
            let asked = asked(&mut peer).await;
            assert!(asked.starts_with("POST /v1/chat?a=b HTTP/1.1\r\n"), "{asked}");
            assert!(asked.contains(&format!("\r\nhost: {address}\r\n")), "{asked}");
            peer.write_all(ANSWER.as_bytes()).await.unwrap();
        }
    };
    let caller = async {
        for _ in 0..3 {
            assert_eq!(ask(&client, &url).await.unwrap(), "ok");
        }
    };
    tokio::join!(platform, caller);
}

#[tokio::test]
async fn what_was_closed_meanwhile_fails_no_request() {
    let (listener, address) = listen().await;
    let (client, url) = (client(), format!("http://{address}/"));
    let platform = async {
        for _ in 0..5 {
            let (mut peer, _) = listener.accept().await.unwrap();
            asked(&mut peer).await;
            peer.write_all(ANSWER.as_bytes()).await.unwrap();
        }
    };
    let caller = async {
        for _ in 0..5 {
            assert_eq!(ask(&client, &url).await.unwrap(), "ok");
        }
    };
    tokio::join!(platform, caller);
}

#[tokio::test]
async fn a_request_that_was_begun_is_not_sent_again() {
    let (listener, address) = listen().await;
    let (client, url) = (client(), format!("http://{address}/"));
    let platform = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        asked(&mut peer).await;
        peer.write_all(ANSWER.as_bytes()).await.unwrap();
        asked(&mut peer).await;
        drop(peer);
    };
    let caller = async {
        assert_eq!(ask(&client, &url).await.unwrap(), "ok");
        let broke = ask(&client, &url).await.unwrap_err();
        assert!(matches!(broke, SendFailure::Broken(_)), "{broke}");
        assert!(broke.was_sent());
    };
    tokio::join!(platform, caller);
}

#[tokio::test]
async fn who_connects_in_vain_has_sent_nothing() {
    let (listener, address) = listen().await;
    drop(listener);
    let refused = ask(&client(), &format!("http://{address}/")).await.unwrap_err();
    assert!(matches!(refused, SendFailure::NotConnected(_)), "{refused}");
    let nowhere = ask(&client(), "/v1/chat").await.unwrap_err();
    assert!(matches!(nowhere, SendFailure::NotConnected(_)), "{nowhere}");
}

#[tokio::test]
async fn a_connection_is_not_lent_twice_and_comes_back_with_its_answers_end() {
    let (listener, address) = listen().await;
    let (client, url) = (client(), format!("http://{address}/"));
    let platform = async {
        let (mut one, _) = listener.accept().await.unwrap();
        asked(&mut one).await;
        one.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha").await.unwrap();
        let (mut other, _) = listener.accept().await.unwrap();
        asked(&mut other).await;
        other.write_all(ANSWER.as_bytes()).await.unwrap();
        one.write_all(b"lf").await.unwrap();
        // Whichever lies on top.
        tokio::select! {
            _ = asked(&mut one) => one.write_all(ANSWER.as_bytes()).await.unwrap(),
            _ = asked(&mut other) => other.write_all(ANSWER.as_bytes()).await.unwrap(),
        }
        (one, other)
    };
    let caller = async {
        let first = client.open_stream(request(&url)).await.unwrap();
        assert_eq!(ask(&client, &url).await.unwrap(), "ok");
        assert_eq!(client.collect(first.body).await.unwrap(), "half");
        assert_eq!(ask(&client, &url).await.unwrap(), "ok");
    };
    tokio::join!(platform, caller);
}

#[tokio::test]
async fn an_answer_that_is_dropped_closes_its_connection_at_once() {
    let (listener, address) = listen().await;
    let (client, url) = (client(), format!("http://{address}/"));
    let platform = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        asked(&mut peer).await;
        peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nha").await.unwrap();
        assert!(is_closed(&mut peer).await);
        let (mut peer, _) = listener.accept().await.unwrap();
        asked(&mut peer).await;
        assert!(is_closed(&mut peer).await, "it answered nothing yet");
    };
    let caller = async {
        let mut reply = client.open_stream(request(&url)).await.unwrap();
        assert!(client.frame(&mut reply.body).await.unwrap().is_some());
        drop(reply);
        let never = client.open_stream(request(&url));
        assert!(tokio::time::timeout(Duration::from_millis(300), never).await.is_err());
    };
    tokio::join!(platform, caller);
}

/// A caller that has what it wants reads no further than the last piece.
#[tokio::test]
async fn an_answer_whose_end_nobody_waited_for_gives_its_connection_back() {
    let (listener, address) = listen().await;
    let (client, url) = (client(), format!("http://{address}/"));
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ndone\r\n0\r\n\r\n";
    let platform = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        for _ in 0..3 {
            asked(&mut peer).await;
            peer.write_all(chunked.as_bytes()).await.unwrap();
        }
    };
    let caller = async {
        for _ in 0..3 {
            let mut reply = client.open_stream(request(&url)).await.unwrap();
            assert!(client.frame(&mut reply.body).await.unwrap().is_some());
            drop(reply);
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(platform, caller);
}

#[tokio::test]
async fn what_nobody_uses_is_closed() {
    for idle_timeout in [SignedDuration::ZERO, SignedDuration::from_millis(100)] {
        let (listener, address) = listen().await;
        let client = Client::new(&Settings { idle_timeout, ..settings() }).unwrap();
        let platform = async {
            let (mut peer, _) = listener.accept().await.unwrap();
            asked(&mut peer).await;
            peer.write_all(ANSWER.as_bytes()).await.unwrap();
            assert!(is_closed(&mut peer).await);
        };
        let url = format!("http://{address}/");
        let (answer, ()) = tokio::join!(ask(&client, &url), platform);
        assert_eq!(answer.unwrap(), "ok");
    }
}

/// A platform that speaks HTTP/2 over TLS.
struct OverTls {
    address: SocketAddr,
    /// How many connections it has taken.
    taken: Arc<AtomicUsize>,
    /// Cuts all that are open.
    cut: Arc<Notify>,
}

async fn over_tls(folder: &Path) -> OverTls {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-days", "2"])
        .current_dir(folder)
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{made:?}");
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(folder.join("cert.pem")).unwrap().collect();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.unwrap(), key)
        .unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let (listener, address) = listen().await;
    let (taken, cut) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (counted, is_cut) = (taken.clone(), cut.clone());
    TokioExecutor::new().execute(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
            let stream = TokioIo::new(acceptor.accept(stream).await.unwrap());
            let answer = service_fn(|request: Request<hyper::body::Incoming>| async {
                assert_eq!(request.version(), http::Version::HTTP_2);
                let asked = request.into_body().collect().await.unwrap().to_bytes();
                Ok::<_, Infallible>(Response::new(Full::new(asked)))
            });
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(stream, answer);
            let is_cut = is_cut.clone();
            TokioExecutor::new().execute(async move {
                tokio::select! {
                    _ = serving => {}
                    () = is_cut.notified() => {}
                }
            });
        }
    });
    OverTls { address, taken, cut }
}

#[tokio::test]
async fn of_http2_one_connection_serves_all() {
    let folder = tempfile::tempdir().unwrap();
    let platform = over_tls(folder.path()).await;
    let ca_file = Some(folder.path().join("cert.pem"));
    let client = Client::new(&Settings { ca_file, ..settings() }).unwrap();
    let url = format!("https://localhost:{}/v1", platform.address.port());
    assert_eq!(ask(&client, &url).await.unwrap(), "asks");
    for connections in [1, 2] {
        let crowd = (0..20).map(|_| ask(&client, &url));
        for answer in futures_util::future::join_all(crowd).await {
            assert_eq!(answer.unwrap(), "asks");
        }
        assert_eq!(platform.taken.load(Ordering::Relaxed), connections);
        platform.cut.notify_waiters();
        while client.pool.kept(&url.parse().unwrap()).unwrap().take().is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[test]
fn a_host_has_its_port_unless_it_is_the_usual_one() {
    for (url, expected) in [
        ("https://api.example.com/v1", "api.example.com"),
        ("https://api.example.com:443/v1", "api.example.com"),
        ("http://api.example.com:443/v1", "api.example.com:443"),
        ("http://user@api.example.com:80", "api.example.com"),
        ("http://[::1]:8080/", "[::1]:8080"),
    ] {
        let url: Uri = url.parse().unwrap();
        let host = crate::upstream::kept::host(url.scheme().unwrap(), url.authority().unwrap());
        assert_eq!(host, expected);
    }
}
