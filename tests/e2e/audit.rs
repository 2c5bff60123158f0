//! Many callers on several gateways, some of whom hang up: the books' sum beside the
//! platform's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tokio::task::JoinSet;

use crate::rig::{Fleet, Server, ask};

const CALLERS: usize = 64;
/// Requests to each gateway; `TRIBUTARY_TEST_REQUESTS` asks for more.
const REQUESTS: usize = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_books_of_a_gateway_balance_on_sqlite() {
    balance("SQLite, one gateway", "sqlite:test.db", 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_books_of_four_gateways_balance_on_redis() {
    let server = Server::shared();
    balance("Redis, four gateways", &server.fresh_url(), 4).await;
}

async fn balance(store: &str, url: &str, gateways: usize) {
    let asked = std::env::var("TRIBUTARY_TEST_REQUESTS");
    let requests = asked.map_or(REQUESTS, |requests| requests.parse().unwrap());
    let fleet = Fleet::on(url, "1m").await;
    let running: Vec<_> = (0..gateways).map(|_| fleet.serve()).collect();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut callers = JoinSet::new();
    for (_, base_url) in &running {
        let turns = Arc::new(AtomicUsize::new(0));
        for _ in 0..CALLERS / gateways {
            let caller = Caller {
                client: client.clone(),
                url: format!("{base_url}/chat/completions"),
                token: format!("Bearer {}", fleet.token),
            };
            let turns = turns.clone();
            callers.spawn(async move {
                let mut hung_up = 0;
                loop {
                    let turn = turns.fetch_add(1, Ordering::Relaxed);
                    if turn >= requests {
                        return hung_up;
                    }
                    hung_up += usize::from(caller.call(turn).await);
                }
            });
        }
    }
    let hung_up: usize = callers.join_all().await.into_iter().sum();
    for (gateway, _) in running {
        gateway.terminate();
    }

    let audit = fleet.audit().await;
    audit.tell(&format!("{requests} requests at each, {store}"), gateways);
    assert!(!audit.marked.is_empty(), "nobody hung up in the middle");
    assert!(audit.marked.len() <= hung_up, "only those who hung up are estimated");
}

struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    token: String,
}

impl Caller {
    /// Asks whole, or streamed, to its end or not; answers whether it hung up.
    async fn call(&self, turn: usize) -> bool {
        let mut body = ask("gpt-4.1", &format!("pace 1 ms say {} words", 3 + turn % 40));
        body["stream"] = json!(!turn.is_multiple_of(3));
        let request = Request::post(&self.url).header("authorization", &self.token);
        let request = request.body(Full::from(body.to_string())).unwrap();
        let answer = self.client.request(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut body = answer.into_body();
        if turn % 3 == 1 {
            for _ in 0..turn % 7 {
                if body.frame().await.is_none() {
                    return false;
                }
            }
            return true;
        }
        body.collect().await.unwrap();
        false
    }
}
