//! The listener: HTTP versions, limits, drain.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::SignedDuration;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;
use tributary::server::Settings;
use tributary::telemetry::clock::Stopwatch;

use crate::both;
use crate::rig::{CHAT, Rig, Wish, ask};

fn server(change: impl FnOnce(&mut Settings)) -> Wish {
    let mut wish = Wish::default();
    wish.server.drain_notice = SignedDuration::from_millis(300);
    change(&mut wish.server);
    wish
}

fn hasty_head() -> Wish {
    server(|server| server.head_timeout = SignedDuration::from_millis(300))
}

both! {
    async fn http_2_is_spoken_in_the_clear(rig: Rig) {
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http::<Full<Bytes>>();
        let url = format!("http://{}{CHAT}", rig.running.addresses.public);
        for streamed in [false, true] {
            let mut body = ask("gpt-4.1", "repeat: one two");
            body["stream"] = json!(streamed);
            let request = rig.with_token(Request::post(&url));
            let request = request.body(Full::from(body.to_string())).unwrap();
            let response = client.request(request).await.unwrap();
            assert_eq!(response.version(), http::Version::HTTP_2);
            assert_eq!(response.status(), 200);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let text = std::str::from_utf8(&body).unwrap();
            assert!(text.contains("two"), "{text}");
            assert_eq!(streamed, text.ends_with("data: [DONE]\n\n"), "{text}");
        }
        // A stream that is given up is a hang-up, and the connection lives on.
        let body = ask("gpt-4.1", "pace 20 ms say 500 words");
        let mut body = body;
        body["stream"] = json!(true);
        let request = rig.with_token(Request::post(&url));
        let request = request.body(Full::from(body.to_string())).unwrap();
        let mut response = client.request(request).await.unwrap();
        response.body_mut().frame().await.unwrap().unwrap();
        drop(response);
        rig.until(async || rig.rows("openai").await.pop().unwrap()["cancelled"] == true).await;
    }
}

both! {
    async fn a_version_is_told_though_its_first_words_come_in_pieces(rig: Rig) {
        let request = rig.chat_on_the_wire(&ask("gpt-4.1", "hello"));
        // A `P` may still become either. The pauses keep the pieces apart.
        for first in [1, 2, 30] {
            let mut caller = rig.dial().await;
            for piece in [&request[..first], &request[first..]] {
                caller.write_all(piece.as_bytes()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            assert!(one_answer(&mut caller).await.starts_with("HTTP/1.1 200 "), "{first}");
        }
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        for first in [1, 7, 24] {
            let mut caller = rig.dial().await;
            for piece in [&preface[..first], &preface[first..]] {
                caller.write_all(piece).await.unwrap();
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            let mut frame = [0; 9];
            caller.read_exact(&mut frame).await.unwrap();
            assert_eq!(frame[3], 4, "SETTINGS come first: {frame:?}");
        }
    }
}

both! {
    async fn a_connection_serves_one_request_after_another(rig: Rig) {
        let mut caller = rig.dial().await;
        for (model, status) in
            [("gpt-4.1", "200 OK"), ("gpt-0", "404 Not Found"), ("qwen-plus", "200 OK")]
        {
            let request = rig.chat_on_the_wire(&ask(model, "hello"));
            caller.write_all(request.as_bytes()).await.unwrap();
            let answer = one_answer(&mut caller).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        }
    }
}

both! {
    #[wish(server(|server| server.max_body_bytes = 10_000))]
    async fn a_body_over_the_limit_is_refused_whether_it_says_so_or_not(rig: Rig) {
        let row = "413 invalid_request_error invalid_request_error";
        let fits = ask("gpt-4.1", &"so ".repeat(3000));
        assert_eq!(rig.chat(fits).await.status, 200);
        let long = ask("gpt-4.1", &"so ".repeat(4000));
        assert_eq!(rig.chat(long.clone()).await.row(), row);
        // One that asks first hears it before it sends anything.
        let mut caller = rig.dial().await;
        let head = rig.chat_on_the_wire(&long).split("\r\n\r\n").next().unwrap().to_owned();
        let asks = head + "\r\nexpect: 100-continue\r\n\r\n";
        caller.write_all(asks.as_bytes()).await.unwrap();
        let answer = one_answer(&mut caller).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        let mut caller = rig.dial().await;
        let chunked = rig.chat_on_the_wire(&json!({})).split("content-length").next().unwrap().to_owned()
            + "transfer-encoding: chunked\r\n\r\n";
        caller.write_all(chunked.as_bytes()).await.unwrap();
        let body = long.to_string();
        let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        caller.write_all(chunk.as_bytes()).await.unwrap();
        assert!(one_answer(&mut caller).await.starts_with("HTTP/1.1 413 "));
    }
}

both! {
    async fn a_long_body_that_is_refused_for_its_head_does_not_cost_the_answer(rig: Rig) {
        // As most clients do, this one reads nothing until it has sent everything.
        for (head, status) in [
            (format!("POST {CHAT} HTTP/1.1\r\nhost: g\r\nauthorization: Bearer no"), "401 "),
            ("POST /nowhere HTTP/1.1\r\nhost: g".to_owned(), "404 "),
            (format!("PUT {CHAT} HTTP/1.1\r\nhost: g"), "405 "),
        ] {
            let mut caller = rig.dial().await;
            let body = vec![b'x'; 12 << 20];
            let head = format!("{head}\r\ncontent-length: {}\r\n\r\n", body.len());
            caller.write_all(head.as_bytes()).await.unwrap();
            caller.write_all(&body).await.unwrap();
            let answer = one_answer(&mut caller).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
            // The same connection goes on.
            let request = rig.chat_on_the_wire(&ask("gpt-4.1", "hello"));
            caller.write_all(request.as_bytes()).await.unwrap();
            assert!(one_answer(&mut caller).await.starts_with("HTTP/1.1 200 "));
        }
    }
}

both! {
    async fn a_caller_that_asks_first_is_refused_before_it_sends_its_body(rig: Rig) {
        let mut caller = rig.dial().await;
        let head = format!(
            "POST {CHAT} HTTP/1.1\r\nhost: g\r\nauthorization: Bearer no\r\n\
             expect: 100-continue\r\ncontent-length: 1000000\r\n\r\n"
        );
        caller.write_all(head.as_bytes()).await.unwrap();
        let answer = one_answer(&mut caller).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    }
}

both! {
    #[wish(server(|server| server.body_timeout = SignedDuration::from_millis(300)))]
    async fn a_body_that_stops_coming_is_given_up(rig: Rig) {
        for token in [rig.token.as_str(), "no"] {
            let mut caller = rig.dial().await;
            let head = format!(
                "POST {CHAT} HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {token}\r\n\
                 content-length: 1000\r\n\r\n{{"
            );
            caller.write_all(head.as_bytes()).await.unwrap();
            let status = if token == "no" { "401 " } else { "408 " };
            let answer = one_answer(&mut caller).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
            assert!(is_shut(&mut caller).await);
        }
    }
}

both! {
    #[wish(hasty_head())]
    async fn a_head_that_does_not_come_is_cut(rig: Rig) {
        for begun in ["", "P", "PRI * HTTP/2.0\r\n", "POST /v1/chat/completions HTTP/1.1\r\nhost:",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
        {
            let mut caller = rig.dial().await;
            caller.write_all(begun.as_bytes()).await.unwrap();
            assert!(is_shut(&mut caller).await, "{begun:?}");
        }
        // A connection that was used and then rests is cut too.
        let mut caller = rig.dial().await;
        let request = rig.chat_on_the_wire(&ask("gpt-4.1", "hello"));
        caller.write_all(request.as_bytes()).await.unwrap();
        one_answer(&mut caller).await;
        assert!(is_shut(&mut caller).await);
    }
}

both! {
    #[wish(hasty_head())]
    async fn an_answer_may_take_longer_than_a_head(rig: Rig) {
        let answer = rig.chat_streamed(ask("gpt-4.1", "pace 100 ms say 10 words")).await;
        assert!(answer.content().split(' ').count() == 10, "{answer:?}");
    }
}

both! {
    #[wish(server(|_| ()))]
    async fn a_drain_tells_the_balancer_finishes_what_runs_and_takes_nothing_new(rig: Rig) {
        let mut stream = rig.stream(ask("gpt-4.1", "pace 50 ms say 40 words")).await;
        let begun = stream.until("data: ").await;
        let operator = rig.running.addresses.operator;
        let public = rig.running.addresses.public;
        let ready = format!("http://{operator}/readyz");
        assert_eq!(rig.fetch(&ready).await.status, 200);
        let Rig { running, store, simulator: _simulator, .. } = rig;
        let drain = TaskTracker::new().spawn(running.drain());
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let status = async || client.get(ready.parse().unwrap()).await.map(|it| it.status().as_u16());
        while status().await.unwrap() == 200 {}
        assert_eq!(status().await.unwrap(), 503);
        while TcpStream::connect(public).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let rest = stream.rest().await;
        let text = begun + std::str::from_utf8(&rest.body).unwrap();
        assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
        assert_eq!(text.matches("\"content\":\"").count() / 40, 1, "{text}");
        drain.await.unwrap();
        let records = store.records_of(tributary::accounts::UserId(1), None, 9).await.unwrap();
        assert_eq!(records.len(), 1, "the books are written when the drain is done");
        assert_eq!(records[0].outcome, "ok");
    }
}

both! {
    #[wish(server(|server| server.drain_timeout = SignedDuration::from_millis(300)))]
    async fn a_drain_ends_though_callers_do_not(rig: Rig) {
        let mut stream = rig.stream(ask("gpt-4.1", "pace 100 ms say 500 words")).await;
        stream.until("data: ").await;
        // One that says nothing, one that stops in mid-sentence, on either listener.
        let mut idle = Vec::new();
        for address in [rig.running.addresses.public, rig.running.addresses.operator] {
            for begun in ["", "GET /healthz HTTP/1.1\r\nhost:"] {
                let mut caller = TcpStream::connect(address).await.unwrap();
                caller.write_all(begun.as_bytes()).await.unwrap();
                idle.push(caller);
            }
        }
        let Rig { running, store, simulator: _simulator, .. } = rig;
        let since = Stopwatch::start();
        running.drain().await;
        assert!(since.elapsed().as_secs() < 5, "{:?}", since.elapsed());
        let records = store.records_of(tributary::accounts::UserId(1), None, 9).await.unwrap();
        assert_eq!(records[0].outcome, "hangup", "what was cut is in the books");
    }
}

both! {
    #[wish(server(|_| ()))]
    async fn whoever_asks_nothing_more_is_told_of_a_drain_at_once(rig: Rig) {
        let public = rig.running.addresses.public;
        let mut silent = TcpStream::connect(public).await.unwrap();
        let mut answered = TcpStream::connect(public).await.unwrap();
        answered.write_all(b"GET /v1/nothing HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        one_answer(&mut answered).await;
        let stream = TokioIo::new(TcpStream::connect(public).await.unwrap());
        let (mut sender, h2) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        let tasks = TaskTracker::new();
        let h2 = tasks.spawn(h2);
        let nothing = Request::get(format!("http://{public}/v1/nothing"));
        let answer = sender.send_request(nothing.body(Full::<Bytes>::default()).unwrap()).await;
        assert_eq!(answer.unwrap().status(), 404);

        // The drain's own end comes later than any of these is waited for.
        let Rig { running, store: _store, simulator: _simulator, .. } = rig;
        let drain = tasks.spawn(running.drain());
        assert!(is_shut(&mut silent).await, "one that said nothing");
        assert!(is_shut(&mut answered).await, "one that was answered");
        let h2 = tokio::time::timeout(Duration::from_secs(5), h2).await;
        assert!(h2.is_ok(), "one of HTTP/2");
        drain.await.unwrap();
    }
}

both! {
    async fn a_second_gateway_on_the_same_port_is_refused_by_name(rig: Rig) {
        let public = rig.running.addresses.public;
        let refused = rig.start_another(public).await.err().unwrap().to_string();
        assert!(refused.contains(&format!("[server] listen {public}")), "{refused}");
        assert!(refused.contains("in use"), "{refused}");
        assert_eq!(rig.chat(ask("gpt-4.1", "hello")).await.status, 200);
    }
}

/// Reads one answer with a body of a known length.
async fn one_answer(caller: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let reading = async {
        loop {
            let text = String::from_utf8_lossy(&read).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.unwrap_or("0").parse::<usize>().unwrap() {
                    return text;
                }
            }
            let more = caller.read_buf(&mut read).await.unwrap();
            assert!(more > 0, "the connection ends after {text:?}");
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.expect("it answers")
}

/// Whether the gateway shuts a connection soon, whatever it says before.
async fn is_shut(caller: &mut TcpStream) -> bool {
    let mut said = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(5), caller.read_to_end(&mut said)).await;
    end.is_ok()
}

both! {
    async fn the_page_of_calls_is_whole_without_a_script_or_another_address(rig: Rig) {
        let page = rig.send(Request::get("/docs"), "").await;
        let style = rig.send(Request::get("/docs/style.css"), "").await;
        for (answer, kind) in [(&page, "text/html; charset=utf-8"), (&style, "text/css; charset=utf-8")] {
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.header("content-type"), kind);
            let policy = answer.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'self'; "), "{policy}");
            assert!(!policy.contains("script") && !policy.contains("unsafe"), "{policy}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
        }
        let html = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(html.contains("<link rel=\"stylesheet\" href=\"/docs/style.css\">"));
        for outside in ["<script", "href=\"http", "src=", "href=\"//"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
