//! The simulated platforms over a bare socket: what an SDK hides.
//!
//! `tests/sdk/python/test_simulator.py` judges their formats.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tributary::simulator::Simulator;

const KEY: &str = "sk-simulated-000000abc123";

/// Sends one request that asks to close afterwards.
async fn send(simulator: &Simulator, method: &str, path: &str, body: &Value) -> TcpStream {
    let origin = simulator.origin("qwen").expect("qwen is simulated");
    let address = origin.strip_prefix("http://").expect("an http origin").to_owned();
    let mut socket = TcpStream::connect(address).await.expect("it listens");
    let body = body.to_string();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: qwen\r\nconnection: close\r\ncontent-type: \
         application/json\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all((head + &body).as_bytes()).await.expect("it reads");
    socket
}

async fn read(mut socket: TcpStream) -> String {
    let mut answer = Vec::new();
    // A connection that is cut may be reset: what came until then counts.
    let _ = socket.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn sim(simulator: &Simulator, method: &str, path: &str, body: Value) -> Value {
    let answer = read(send(simulator, method, path, &body).await).await;
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    serde_json::from_str(body).expect("JSON")
}

fn stream(words: &str) -> Value {
    json!({"model": "qwen-plus", "stream": true, "messages": [{"role": "user", "content": words}]})
}

const CHAT: &str = "/compatible-mode/v1/chat/completions";

#[tokio::test]
async fn a_hang_up_is_in_the_books_with_what_was_produced() {
    let simulator = Simulator::start().await.expect("free ports");
    let mut socket = send(&simulator, "POST", CHAT, &stream("pace 5 ms, say 5000 words")).await;
    let mut seen = String::new();
    while !seen.contains("river") {
        let mut some = [0; 4096];
        let size = socket.read(&mut some).await.expect("it streams");
        seen.push_str(&String::from_utf8_lossy(&some[..size]));
    }
    drop(socket);
    let row = loop {
        let books = sim(&simulator, "GET", "/_sim/ledger", json!({})).await;
        let row = books["requests"][0].clone();
        if row["cancelled"] == true {
            break row;
        }
        tokio::task::yield_now().await;
    };
    let produced = row["completion_tokens"].as_u64().expect("a count");
    assert!(produced > 0 && produced < 2000, "{produced}");
    assert_eq!((&row["done"], &row["credential"]), (&json!(true), &json!("…abc123")));
    simulator.stop().await;
}

#[tokio::test]
async fn a_cut_stream_lacks_its_end() {
    let simulator = Simulator::start().await.expect("free ports");
    let fault = json!({"kind": "cut", "after_bytes": 1000, "credential": "abc123"});
    assert_eq!(sim(&simulator, "POST", "/_sim/faults", fault).await["faults"], 1);
    let cut = read(send(&simulator, "POST", CHAT, &stream("say 100 words")).await).await;
    assert!(cut.contains("200 OK") && !cut.ends_with("0\r\n\r\n"), "{cut}");
    let books = sim(&simulator, "GET", "/_sim/ledger?last=1", json!({})).await;
    assert_eq!(books["requests"][0]["produced_bytes"], 1000);
    let whole = read(send(&simulator, "POST", CHAT, &stream("say 100 words")).await).await;
    assert!(whole.contains("data: [DONE]") && whole.ends_with("0\r\n\r\n"));
}

#[tokio::test]
async fn split_bytes_fall_inside_of_characters() {
    let simulator = Simulator::start().await.expect("free ports");
    sim(&simulator, "POST", "/_sim/faults", json!({"kind": "split", "bytes": 2})).await;
    let answer = read(send(&simulator, "POST", CHAT, &stream("repeat: 长城🙂")).await).await;
    let pieces = answer.matches("\r\n2\r\n").count();
    assert!(pieces > 50, "{pieces} pieces of two bytes");
}
