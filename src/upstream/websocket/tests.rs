//! Against a peer that does what a test wants of it.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::*;
use crate::upstream::{Client, Settings};

type Peer = WebSocketStream<TcpStream>;

fn client(settings: Settings) -> Client {
    Client::new(&settings).unwrap()
}

fn soon() -> Settings {
    let short = SignedDuration::from_millis(200);
    Settings {
        connect_timeout: short,
        first_byte_timeout: short,
        gap_timeout: short,
        ..Settings::default()
    }
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn accept(listener: &TcpListener) -> Peer {
    let (stream, _) = listener.accept().await.unwrap();
    tokio_tungstenite::accept_async(stream).await.unwrap()
}

fn request(host: impl std::fmt::Display) -> Request<Full<Bytes>> {
    Request::post(format!("ws://{host}/v1.1/chat?a=b")).body(Full::from("你好🙂")).unwrap()
}

async fn read(client: &Client, body: &mut Body) -> Result<Option<String>, SendFailure> {
    let frame = client.frame(body).await?;
    Ok(frame.map(|it| String::from_utf8(it.into_data().unwrap().to_vec()).unwrap()))
}

#[tokio::test]
async fn a_request_is_a_message_and_every_message_a_piece_of_the_answer() {
    let (listener, address) = listen().await;
    let client = client(Settings::default());
    let platform = async {
        let mut peer = accept(&listener).await;
        let asked = peer.next().await.unwrap().unwrap();
        assert_eq!(asked, Message::text("你好🙂"));
        peer.send(Message::Ping(Bytes::from_static(b"there?"))).await.unwrap();
        for text in ["一", "二"] {
            peer.send(Message::text(text)).await.unwrap();
        }
        assert!(matches!(peer.next().await.unwrap().unwrap(), Message::Pong(_)));
        peer.close(None).await.unwrap();
    };
    let caller = async {
        let mut reply = client.open_stream(request(address)).await.unwrap();
        assert_eq!(reply.status, StatusCode::OK);
        let mut came = Vec::new();
        while let Some(text) = read(&client, &mut reply.body).await.unwrap() {
            came.push(text);
        }
        assert_eq!(came, ["一", "二"]);
    };
    tokio::join!(platform, caller);
}

#[tokio::test]
async fn an_answer_that_is_dropped_closes_its_connection_at_once() {
    let (listener, address) = listen().await;
    let client = client(Settings::default());
    let platform = async {
        let mut peer = accept(&listener).await;
        peer.next().await.unwrap().unwrap();
        peer.send(Message::text("1")).await.unwrap();
        tokio::time::timeout(Duration::from_secs(2), peer.next()).await.expect("it is closed")
    };
    let caller = async { drop(client.open_stream(request(address)).await.unwrap()) };
    let (heard, ()) = tokio::join!(platform, caller);
    assert!(heard.is_none_or(|message| message.is_err()));
}

#[tokio::test]
async fn a_handshake_that_is_refused_is_an_answer() {
    let (listener, address) = listen().await;
    let client = client(Settings::default());
    let platform = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 4096];
        let length = stream.read(&mut asked).await.unwrap();
        let asked = String::from_utf8_lossy(&asked[..length]).to_lowercase();
        assert!(asked.starts_with("get /v1.1/chat?a=b http/1.1\r\n"), "{asked}");
        assert!(!asked.contains("content-type") && asked.contains("sec-websocket-version: 13"));
        stream
            .write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 3\r\n\r\nwhy")
            .await
            .unwrap();
    };
    let (reply, ()) = tokio::join!(client.open_stream(request(address)), platform);
    let reply = reply.unwrap();
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert_eq!(client.glance(reply.body).await, "why");
}

#[tokio::test]
async fn a_peer_that_did_not_read_our_key_is_no_websocket() {
    let (listener, address) = listen().await;
    let client = client(soon());
    let platform = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\
                    \r\nsec-websocket-accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let (reply, _stream) = tokio::join!(client.open_stream(request(address)), platform);
    let failure = reply.err().unwrap();
    assert!(failure.to_string().contains("no WebSocket of ours"), "{failure}");
}

#[tokio::test]
async fn a_peer_that_says_nothing_has_its_time_for_each_step() {
    let client = client(soon());
    let (listener, address) = listen().await;
    let failure = client.open_stream(request(address)).await.err().unwrap();
    assert!(!failure.was_sent(), "no handshake, so no request: {failure}");
    drop(listener);
    let (listener, address) = listen().await;
    let platform = async {
        let mut peer = accept(&listener).await;
        peer.next().await.unwrap().unwrap();
        peer
    };
    let (reply, peer) = tokio::join!(client.open_stream(request(address)), platform);
    assert!(matches!(reply.err().unwrap(), SendFailure::TimedOut { .. }));
    drop(peer);
    let platform = async {
        let mut peer = accept(&listener).await;
        peer.send(Message::text("1")).await.unwrap();
        peer
    };
    let (reply, _peer) = tokio::join!(client.open_stream(request(address)), platform);
    let mut body = reply.unwrap().body;
    assert_eq!(read(&client, &mut body).await.unwrap().unwrap(), "1");
    assert!(matches!(read(&client, &mut body).await.unwrap_err(), SendFailure::TimedOut { .. }));
}

#[tokio::test]
async fn a_message_without_end_and_a_connection_that_breaks_are_failures() {
    let (listener, address) = listen().await;
    let client = client(Settings::default());
    let long = async {
        let mut peer = accept(&listener).await;
        peer.send(Message::text("1")).await.unwrap();
        // Refused before all of it was read.
        let _ = peer.send(Message::text("x".repeat(LONGEST_MESSAGE + 1))).await;
    };
    let caller = async {
        let mut body = client.open_stream(request(address)).await.unwrap().body;
        read(&client, &mut body).await.unwrap();
        let failure = read(&client, &mut body).await.unwrap_err();
        assert!(matches!(failure, SendFailure::TooLong { .. }), "{failure}");
    };
    tokio::join!(long, caller);
    let cut = async { drop(accept(&listener).await) };
    let (reply, ()) = tokio::join!(client.open_stream(request(address)), cut);
    let failure = reply.err().unwrap();
    assert!(matches!(failure, SendFailure::Broken(_)) && failure.was_sent(), "{failure}");
    let shut = async {
        let mut peer = accept(&listener).await;
        let frame = CloseFrame { code: CloseCode::Error, reason: "app 7 is bad".into() };
        peer.close(Some(frame)).await.unwrap();
    };
    let (reply, ()) = tokio::join!(client.open_stream(request(address)), shut);
    assert_eq!(
        reply.err().unwrap().to_string(),
        "the connection broke before an answer: closed with code 1011"
    );
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_followed() {
    let (listener, address) = listen().await;
    let host = format!("localhost:{}", address.port());
    let failure = client(Settings::default()).open_stream(request(&host)).await.err().unwrap();
    assert!(failure.to_string().contains("allow_private"), "{failure}");
    let allowed = Settings { allow_private: vec!["localhost".to_owned()], ..Settings::default() };
    let client = client(allowed);
    let platform = async {
        let mut peer = accept(&listener).await;
        peer.send(Message::text("1")).await.unwrap();
        peer
    };
    let (reply, _peer) = tokio::join!(client.open_stream(request(&host)), platform);
    assert!(reply.is_ok());
}
