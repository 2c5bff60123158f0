//! Wrong clocks: gateways that differ by minutes, and midnight in the middle of the load. The
//! store's clock is the only one, so the books balance and pauses end when it says.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tributary::telemetry::clock::{self, Stopwatch};

use crate::rig::{Crowd, Fleet, Memory, Server, Skew, ask};

const CALLERS_EACH: usize = 16;
const SLOW: Skew = Skew(-7 * 60);
const FAST: Skew = Skew(5 * 60);
/// How long a platform lets an account rest.
const REST: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_whose_clocks_differ_by_minutes_keep_the_same_books() {
    let server = Server::start();
    let fleet = Fleet::on(&server.fresh_url(), "2s").await;
    let (slow, slow_url) = fleet.serve_at(SLOW);
    let (fast, fast_url) = fleet.serve_at(FAST);
    // A day is none of theirs: whose lives longest is charged by nobody's clock but the store's.
    let long = [&slow_url, &fast_url].map(|base_url| {
        let (base_url, token) = (base_url.clone(), fleet.token.clone());
        let words = "pace 100 ms say 45 words";
        tokio::spawn(async move { chat(&base_url, &token, "gpt-4.1", words).await })
    });
    let crowd = Crowd::at([&*slow_url, &*fast_url], &fleet.token, CALLERS_EACH);
    crowd.goes_on(300).await;
    for answered in long {
        assert_eq!(answered.await.unwrap(), StatusCode::OK);
    }
    drop(slow); // kill -9: the other one charges what it had open.
    crowd.goes_on(300).await;
    assert_eq!(crowd.end().await, 0);
    let (slow, slow_url) = fleet.serve_at(SLOW);
    fleet.all_charged().await;

    for (first, second, account) in [(&slow_url, &fast_url, 1), (&fast_url, &slow_url, 2)] {
        let headers = json!({ "retry-after": REST.as_secs().to_string() });
        fleet.fault(json!({ "kind": "status", "status": 429, "headers": headers })).await;
        let model = format!("account:{account}/gpt-4.1");
        let limited = StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(chat(first, &fleet.token, &model, "say 1 word").await, limited);
        let since = Stopwatch::start();
        for gateway in [first, second] {
            assert_eq!(chat(gateway, &fleet.token, &model, "say 1 word").await, limited);
        }
        for gateway in [second, first] {
            while chat(gateway, &fleet.token, &model, "say 1 word").await == limited {
                assert!(since.elapsed() < 3 * REST, "it rests by another clock");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert!(since.elapsed() > REST / 2, "{:?}", since.elapsed());
        }
    }
    fast.terminate();
    slow.terminate();

    let audit = fleet.audit().await;
    audit.tell("clocks 12 minutes apart, one gateway killed", 1);
    // What ran when it was killed, and what was answered but not settled yet.
    assert!((1..=2 * CALLERS_EACH).contains(&audit.marked.len()), "{}", audit.marked.len());
}

/// What a gateway answers to a chat.
async fn chat(base_url: &str, token: &str, model: &str, question: &str) -> StatusCode {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::post(format!("{base_url}/chat/completions"))
        .header("authorization", format!("Bearer {token}"))
        .body(Full::from(ask(model, question).to_string()));
    client.request(request.unwrap()).await.unwrap().status()
}

/// A clock on which the next midnight, in UTC as the fleet's windows are, is so far ahead.
fn before_midnight(ahead: Duration) -> Skew {
    const DAY: i64 = 24 * 60 * 60;
    let passed = clock::now().as_second() % DAY;
    Skew(DAY - passed - i64::try_from(ahead.as_secs()).unwrap())
}

/// Long enough for a crowd to be at work.
const AHEAD: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn midnight_in_the_middle_of_the_load_parts_the_charges_on_sqlite() {
    let fleet = Fleet::on("sqlite:test.db", "1m").await;
    let skew = before_midnight(AHEAD);
    over_midnight("SQLite", &fleet, &[skew]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn midnight_in_the_middle_of_the_load_parts_the_charges_on_redis() {
    let skew = before_midnight(AHEAD);
    let server = Server::start_in(Memory::Lost, skew.of_server());
    let fleet = Fleet::on(&server.fresh_url(), "1m").await;
    // For one of the gateways the next day has begun, for the other it is far off.
    let skews = [Skew(skew.0 + 120), Skew(skew.0 - 180)];
    over_midnight("Redis, gateways' clocks 5 minutes apart", &fleet, &skews).await;
}

async fn over_midnight(store: &str, fleet: &Fleet, skews: &[Skew]) {
    let since = Stopwatch::start();
    let gateways: Vec<_> = skews.iter().map(|skew| fleet.serve_at(*skew)).collect();
    let urls = gateways.iter().map(|(_, base_url)| base_url.as_str());
    let crowd = Crowd::at(urls, &fleet.token, CALLERS_EACH);
    crowd.goes_on(100).await;
    assert!(since.elapsed() < AHEAD, "the crowd is at work before midnight");
    tokio::time::sleep(AHEAD.saturating_sub(since.elapsed()) + Duration::from_secs(1)).await;
    crowd.goes_on(100).await;
    assert_eq!(crowd.end().await, 0);
    for (gateway, _) in gateways {
        assert_eq!(gateway.terminate().code, 0);
    }
    let audit = fleet.audit().await;
    audit.tell(&format!("midnight, {store}"), 1);
    assert!(audit.before_reset >= 50, "{} before midnight", audit.before_reset);
    assert!(audit.since_reset >= 50, "{} since midnight", audit.since_reset);
    assert_eq!(audit.marked.len(), 0, "every figure is the platform's");
}
