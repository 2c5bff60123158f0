//! Against peers that do what a test wants of them.

use std::net::SocketAddr;

use jiff::SignedDuration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::upstream::{Client, Settings};

pub(super) const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

pub(super) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub(super) fn settings() -> Settings {
    Settings { allow_private: vec!["127.0.0.1".into(), "localhost".into()], ..Settings::default() }
}

fn client() -> Client {
    Client::new(&settings()).unwrap()
}

pub(super) fn request(url: &str) -> Sent {
    Request::post(url).body(Full::from("asks")).unwrap()
}

/// Reads a request; `None`: the caller has gone.
pub(super) async fn next_asked(peer: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\nasks") {
        if matches!(peer.read_buf(&mut read).await, Ok(0) | Err(_)) {
            return None;
        }
    }
    Some(String::from_utf8(read).unwrap())
}

async fn asked(peer: &mut TcpStream) -> String {
    next_asked(peer).await.expect("a request")
}

pub(super) async fn ask(client: &Client, url: &str) -> Result<Bytes, SendFailure> {
    let reply = client.open_whole(request(url)).await?;
    client.collect(reply.body).await
}

/// Whether the other side has closed it.
async fn is_closed(peer: &mut TcpStream) -> bool {
    let read =
        tokio::time::timeout(Duration::from_secs(20), async { peer.read(&mut [0; 64]).await });
    matches!(read.await, Ok(Ok(0) | Err(_)))
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

/// What a platform does that closes a connection, in a thread of its own: its caller's stands still
/// meanwhile, and so knows of all of it at once.
fn meanwhile(does: impl FnOnce() + Send + 'static) {
    std::thread::spawn(does).join().unwrap();
}

/// The caller takes the connection and hands the request to it before it hears that it is closed.
#[tokio::test]
async fn what_was_not_begun_goes_again_on_another_connection() {
    let (listener, address) = listen().await;
    let (client, url) = (client(), format!("http://{address}/"));
    let answering = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        asked(&mut peer).await;
        peer.write_all(ANSWER.as_bytes()).await.unwrap();
        peer
    };
    let (answer, peer) = tokio::join!(ask(&client, &url), answering);
    assert_eq!(answer.unwrap(), "ok");
    let mut signalled = TcpStream::connect(address).await.unwrap();
    let (signals, _) = listener.accept().await.unwrap();
    let [peer, signals] = [peer, signals].map(|stream| stream.into_std().unwrap());
    meanwhile(move || drop((peer, signals)));
    assert!(is_closed(&mut signalled).await);
    let answering = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        asked(&mut peer).await;
        peer.write_all(ANSWER.as_bytes()).await.unwrap();
        std::future::pending().await
    };
    tokio::select! {
        answer = ask(&client, &url) => assert_eq!(answer.unwrap(), "ok"),
        () = answering => {}
    }
}

#[tokio::test]
async fn who_is_closed_on_at_once_has_sent_nothing() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let client = client();
    let closing = async { meanwhile(move || drop(listener.accept().unwrap())) };
    let (answer, ()) = tokio::join!(ask(&client, &url), closing);
    let failure = answer.unwrap_err();
    assert!(!failure.was_sent(), "{failure}");
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

/// How a platform's answer may look, of which a caller is to have the number alone.
fn answer_of(number: usize) -> (String, bool) {
    let length = number.to_string().len();
    let plain = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{number}");
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{number}\r\n0\r\n\r\n"
    );
    let unasked = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    match number % 7 {
        0 => (plain, false),
        1 => (format!("{plain}{unasked}"), false),
        2 => (chunked, false),
        3 => (format!("{chunked}{unasked}"), false),
        4 => (plain.replace("content-length", "connection: close\r\ncontent-length"), false),
        5 => (format!("HTTP/1.1 200 OK\r\n\r\n{number}"), true),
        _ => (format!("HTTP/1.1 103 Early Hints\r\n\r\n{plain}"), false),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_gets_anothers_answer() {
    let (listener, address) = listen().await;
    TokioExecutor::new().execute(async move {
        loop {
            let (mut peer, _) = listener.accept().await.unwrap();
            TokioExecutor::new().execute(async move {
                while let Some(asked) = next_asked(&mut peer).await {
                    let number = asked.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
                    let (answer, ends) = answer_of(number);
                    let (first, second) = answer.split_at(answer.len() / (1 + number % 2));
                    for piece in [first, second] {
                        // A caller that has gone is none of its business.
                        let _ = peer.write_all(piece.as_bytes()).await;
                        tokio::task::yield_now().await;
                    }
                    if ends {
                        return;
                    }
                }
            });
        }
    });
    let client = client();
    let callers = (0..32).map(|caller| {
        let client = client.clone();
        async move {
            for number in (100_000 + caller..).step_by(32).take(100) {
                let url = format!("http://{address}/{number}");
                if number % 5 == 0 {
                    let mut reply = client.open_stream(request(&url)).await.unwrap();
                    if number % 2 == 0 {
                        let _ = client.frame(&mut reply.body).await;
                    }
                    continue;
                }
                assert_eq!(ask(&client, &url).await.unwrap(), number.to_string());
            }
        }
    });
    futures_util::future::join_all(callers).await;
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
