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

/// One request to a platform, with these headers; its status and body.
async fn ask(
    simulator: &Simulator,
    platform: &str,
    line: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> (u16, Value) {
    let origin = simulator.origin(platform).expect("it is simulated");
    let address = origin.strip_prefix("http://").expect("an http origin").to_owned();
    let mut socket = TcpStream::connect(&address).await.expect("it listens");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: \
         application/json\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all((head + &body).as_bytes()).await.expect("it reads");
    let answer = read(socket).await;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (status.expect("a status"), serde_json::from_str(body).unwrap_or(Value::Null))
}

fn hello(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "hello"}]})
}

#[tokio::test]
async fn a_temporary_key_is_good_until_its_end_and_a_made_up_one_never() {
    let simulator = Simulator::start().await.expect("free ports");
    let own = format!("Bearer {KEY}");
    let make = async |query: &str, key: &str| {
        let line = format!("POST /api/v1/tokens{query}");
        ask(&simulator, "qwen", &line, &[("authorization", key)], &Value::Null).await
    };
    let chat = async |key: &str| {
        let line = format!("POST {CHAT}");
        ask(&simulator, "qwen", &line, &[("authorization", key)], &hello("qwen-plus")).await
    };
    for (query, key, status) in [
        ("?expire_in_seconds=0", own.as_str(), 400),
        ("?expire_in_seconds=1801", &own, 400),
        ("?expire_in_seconds=x", &own, 400),
        ("", "Bearer bce-v3/ALTAK-1/2", 401),
    ] {
        let (told, body) = make(query, key).await;
        assert_eq!(told, status, "{query}");
        assert!(body["code"].is_string() && body["request_id"].is_string(), "{body}");
    }
    let (_, made) = make("?expire_in_seconds=1", &own).await;
    let brief = format!("Bearer {}", made["token"].as_str().expect("a key"));
    assert!(made["expires_at"].is_u64(), "{made}");
    let (_, lasting) = make("", &own).await;
    let lasting = format!("Bearer {}", lasting["token"].as_str().expect("a key"));
    assert_eq!(chat(&lasting).await.0, 200);
    while chat(&brief).await.0 == 200 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let (status, body) = chat(&brief).await;
    assert_eq!((status, &body["error"]["code"]), (401, &json!("invalid_api_key")));
    assert_eq!(chat("Bearer st-00000000000000000000000000000000").await.0, 401);
    assert_eq!(chat(&lasting).await.0, 200);
    let books = sim(&simulator, "GET", "/_sim/ledger?last=1", json!({})).await;
    assert_eq!(books["requests"][0]["credential"], "…abc123", "in its maker's books");
}

#[tokio::test]
async fn a_token_of_zhipus_is_checked_to_the_letter() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let simulator = Simulator::start().await.expect("free ports");
    let now = tributary::telemetry::clock::now_ms();
    let header = || json!({"alg": "HS256", "sign_type": "SIGN", "typ": "JWT"});
    let id = "0123456789abcdef0123456789abc123";
    let claims = || json!({"api_key": id, "exp": now + 60_000, "timestamp": now});
    let with = |mut json: Value, name: &str, value: Value| {
        json[name] = value;
        json
    };
    let other = "fedcba9876543210";
    for (what, header, claims, secret, status) in [
        ("all right", header(), claims(), &id[16..], 200),
        ("another's signature", header(), claims(), other, 401),
        ("no sign_type", with(header(), "sign_type", Value::Null), claims(), &id[16..], 401),
        ("another algorithm", with(header(), "alg", json!("none")), claims(), &id[16..], 401),
        ("ended", header(), with(claims(), "exp", json!(now - 1)), &id[16..], 401),
        ("in seconds", header(), with(claims(), "exp", json!(now / 1000 + 60)), &id[16..], 401),
        ("to come", header(), with(claims(), "timestamp", json!(now + 900_000)), &id[16..], 401),
    ] {
        let part = |json: &Value| BASE64.encode(json.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).expect("any key");
        mac.update(signed.as_bytes());
        let token = format!("Bearer {signed}.{}", BASE64.encode(mac.finalize().into_bytes()));
        let line = "POST /api/paas/v4/chat/completions";
        let (told, body) =
            ask(&simulator, "glm", line, &[("authorization", &token)], &hello("glm-4.7")).await;
        assert_eq!(told, status, "{what}: {body}");
    }
}

#[tokio::test]
async fn baidus_iam_tells_what_is_wrong_with_a_signature() {
    let simulator = Simulator::start().await.expect("free ports");
    let key = "ALTAK0123456789";
    let line = "GET /v1/BCE-BEARER/token?expireInSeconds=1800";
    let signed = |date: &str, life: u32, names: &str| {
        format!("bce-auth-v1/{key}/{date}/{life}/{names}/{}", "0".repeat(64))
    };
    let now = tributary::telemetry::clock::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    for (authorization, status, code) in [
        (signed(&now, 300, "host;x-bce-date"), 400, "SignatureDoesNotMatch"),
        (signed(&now, 300, "x-bce-date"), 400, "InvalidHTTPAuthHeader"),
        (signed("2026-01-01T00:00:00Z", 300, "host"), 400, "RequestExpired"),
        (signed("2031-01-01T00:00:00Z", 300, "host"), 400, "RequestExpired"),
        ("bce-auth-v1/AK/x".to_owned(), 400, "InvalidHTTPAuthHeader"),
        (signed(&now, 300, "host").replace(key, "AKIA0123456789"), 403, "InvalidAccessKeyId"),
        ("Bearer sk-1".to_owned(), 403, "AccessDenied"),
    ] {
        let headers = [("authorization", authorization.as_str()), ("x-bce-date", &now)];
        let (told, body) = ask(&simulator, "ernie", line, &headers, &Value::Null).await;
        assert_eq!((told, &body["code"]), (status, &json!(code)), "{authorization}");
    }
    let long = [("authorization", "Bearer bce-v3/ALTAK-1/abc123")];
    let (told, made) = ask(&simulator, "ernie", line, &long, &Value::Null).await;
    assert_eq!(told, 200);
    // A short-lived key makes no other, and a life out of range none.
    let short = format!("Bearer {}", made["token"].as_str().expect("a key"));
    let denied = [("authorization", short.as_str())];
    assert_eq!(ask(&simulator, "ernie", line, &denied, &Value::Null).await.0, 403);
    let line = "GET /v1/BCE-BEARER/token?expireInSeconds=299";
    assert_eq!(ask(&simulator, "ernie", line, &long, &Value::Null).await.0, 400);
}
