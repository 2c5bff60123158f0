//! Callers that stop reading.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::SignedDuration;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tributary::telemetry::clock::Stopwatch;

use crate::both;
use crate::rig::{CHAT, Rig, Wish, ask, chunk};

const LIMIT_MS: u64 = 700;
/// More than every buffer between the stub and a caller holds.
const FLOOD_BYTES: usize = 24 << 20;

fn hasty() -> Wish {
    let mut wish = Wish::default();
    wish.server.send_timeout = SignedDuration::from_millis(LIMIT_MS.cast_signed());
    wish
}

both! {
    #[wish(hasty())]
    async fn a_caller_that_stops_reading_is_cut_and_its_lease_settled(rig: Rig) {
        rig.bind_stub().await;
        let mut caller = rig.dial_with_little_room().await;
        ask_streamed(&rig, &mut caller).await;
        let mut platform = rig.stub_begins().await;
        read_some(&mut caller).await;
        let since = Stopwatch::start();
        assert!(flood(&mut platform).await.is_err(), "the platform's work is cancelled");
        let took = since.elapsed().as_millis();
        assert!((u128::from(LIMIT_MS)..5000).contains(&took), "{took} ms");
        is_settled_as_a_hang_up(&rig).await;
        // The caller finds its connection cut.
        let mut rest = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(5), caller.read_to_end(&mut rest)).await;
        assert!(end.is_ok());
        assert!(!rest.ends_with(b"[DONE]\n\n"));
    }
}

both! {
    #[wish(hasty())]
    async fn a_caller_that_reads_slowly_is_served_to_the_end(rig: Rig) {
        rig.bind_stub().await;
        let mut caller = rig.dial_with_little_room().await;
        ask_streamed(&rig, &mut caller).await;
        let mut platform = rig.stub_begins().await;
        let since = Stopwatch::start();
        let read = async {
            let mut last = Vec::new();
            let mut piece = vec![0; 40 << 10];
            while !last.ends_with(b"data: [DONE]\n\n") && !last.ends_with(b"0\r\n\r\n") {
                let read = caller.read(&mut piece).await.unwrap();
                assert!(read > 0, "the answer ends too early");
                last.extend_from_slice(&piece[..read]);
                last.drain(..last.len().saturating_sub(64));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::join!(give_all(&mut platform, 2 << 20), read);
        let took = since.elapsed().as_millis();
        assert!(took > u128::from(2 * LIMIT_MS), "{took} ms: nothing was slow");
        rig.until(async || !rig.records().await.is_empty()).await;
        assert_eq!(rig.records().await[0].outcome, "ok");
    }
}

both! {
    #[wish(hasty())]
    async fn an_answer_that_waits_for_its_platform_is_no_stall(rig: Rig) {
        rig.bind_stub().await;
        let client = h2_client();
        for version in [http::Version::HTTP_11, http::Version::HTTP_2] {
            let read = async {
                let answer = match version {
                    http::Version::HTTP_2 => {
                        let request = rig.with_token(Request::post(url(&rig)));
                        let answer = client.request(request.body(streamed()).unwrap()).await.unwrap();
                        answer.into_body().collect().await.unwrap().to_bytes()
                    }
                    _ => rig.chat_streamed(ask("stub-1", "hello")).await.body,
                };
                assert!(answer.ends_with(b"data: [DONE]\n\n"), "{answer:?}");
            };
            let think = async {
                let mut platform = rig.stub_begins().await;
                tokio::time::sleep(Duration::from_millis(3 * LIMIT_MS)).await;
                give_all(&mut platform, 0).await;
            };
            tokio::join!(read, think);
        }
    }
}

both! {
    #[wish(hasty())]
    async fn an_http_2_stream_that_is_not_read_is_reset_alone(rig: Rig) {
        rig.bind_stub().await;
        let client = h2_client();
        let request = rig.with_token(Request::post(url(&rig))).body(streamed()).unwrap();
        let (answer, mut platform) = tokio::join!(client.request(request), rig.stub_begins());
        let mut body = answer.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        let since = Stopwatch::start();
        assert!(flood(&mut platform).await.is_err(), "the platform's work is cancelled");
        let took = since.elapsed().as_millis();
        assert!((u128::from(LIMIT_MS)..5000).contains(&took), "{took} ms");
        is_settled_as_a_hang_up(&rig).await;
        // The connection goes on: behind what was left, its frames tell of the reset.
        let hello = ask("gpt-4.1", "hello").to_string();
        let request = rig.with_token(Request::post(url(&rig))).body(Full::from(hello)).unwrap();
        assert_eq!(client.request(request).await.unwrap().status(), 200);
        let reset = loop {
            match body.frame().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break error,
                None => panic!("the stream ends as if it were whole"),
            }
        };
        assert!(format!("{reset:?}").contains("CANCEL"), "{reset:?}");
    }
}

both! {
    #[wish(hasty())]
    async fn an_http_2_stream_that_is_read_slowly_is_served_to_the_end(rig: Rig) {
        rig.bind_stub().await;
        let client = h2_client();
        let request = rig.with_token(Request::post(url(&rig))).body(streamed()).unwrap();
        let (answer, mut platform) = tokio::join!(client.request(request), rig.stub_begins());
        let mut body = answer.unwrap().into_body();
        let since = Stopwatch::start();
        let read = async {
            let mut last = Bytes::new();
            while let Some(frame) = body.frame().await {
                last = frame.unwrap().into_data().unwrap();
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            assert!(last.is_empty() || last.ends_with(b"data: [DONE]\n\n"), "{last:?}");
        };
        tokio::join!(give_all(&mut platform, 1 << 20), read);
        assert!(since.elapsed().as_millis() > u128::from(2 * LIMIT_MS), "nothing was slow");
        rig.until(async || !rig.records().await.is_empty()).await;
        assert_eq!(rig.records().await[0].outcome, "ok");
    }
}

fn h2_client() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new())
        .http2_only(true)
        .http2_initial_stream_window_size(65_535)
        .build_http()
}

fn url(rig: &Rig) -> String {
    format!("http://{}{CHAT}", rig.running.addresses.public)
}

fn streamed() -> Full<Bytes> {
    let mut body = ask("stub-1", "hello");
    body["stream"] = json!(true);
    Full::from(body.to_string())
}

async fn ask_streamed(rig: &Rig, caller: &mut TcpStream) {
    let mut body = ask("stub-1", "hello");
    body["stream"] = json!(true);
    caller.write_all(rig.chat_on_the_wire(&body).as_bytes()).await.unwrap();
}

async fn read_some(caller: &mut TcpStream) {
    let mut some = Vec::new();
    while !some.windows(6).any(|it| it == b"data: ") {
        assert!(caller.read_buf(&mut some).await.unwrap() > 0);
    }
}

async fn flood(platform: &mut TcpStream) -> std::io::Result<()> {
    flood_with(platform, FLOOD_BYTES).await
}

/// Writes words as fast as they are taken.
async fn flood_with(platform: &mut TcpStream, bytes: usize) -> std::io::Result<()> {
    let words = chunk(json!({"content": "so it is ".repeat(300)}), "");
    for _ in 0..bytes / words.len() {
        let write =
            tokio::time::timeout(Duration::from_secs(20), platform.write_all(words.as_bytes()));
        write.await.expect("it is taken, or the connection is cut")?;
    }
    Ok(())
}

/// Writes words, and the stream's end.
async fn give_all(platform: &mut TcpStream, bytes: usize) {
    flood_with(platform, bytes).await.unwrap();
    let end = chunk(json!({}), "stop") + "data: [DONE]\n\n";
    platform.write_all(end.as_bytes()).await.unwrap();
    platform.shutdown().await.unwrap();
}

async fn is_settled_as_a_hang_up(rig: &Rig) {
    rig.until(async || !rig.records().await.is_empty()).await;
    let record = rig.records().await.swap_remove(0);
    assert_eq!(record.outcome, "hangup");
    assert!(record.estimated && record.output.0 > 0, "{record:?}");
    rig.all_settled("stub").await;
    assert_eq!(rig.charges("stub").await.len(), 1);
}
