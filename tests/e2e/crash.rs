//! kill -9 in the middle of a crowd's requests, and books that can still be audited.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::SignedDuration;
use serde_json::json;
use tokio::task::JoinSet;
use tributary::accounts::{Charge, ChargeKind};

use crate::both;
use crate::rig::{Fleet, Rig, Server, Wish, ask};

const CALLERS: usize = 64;
/// `TRIBUTARY_TEST_KILLS` asks for more.
const KILLS: usize = 10;
/// Answers that callers get before each kill.
const ANSWERS_BEFORE: usize = 100;
const PLATFORM: &str = "openai";
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
/// How long nothing can be committed before a kill; a gateway waits for longer.
const HELD: std::time::Duration = std::time::Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_every_granted_lease_is_charged_on_sqlite() {
    survive("sqlite:test.db").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_every_granted_lease_is_charged_on_redis() {
    let server = Server::shared();
    survive(&server.fresh_url()).await;
}

async fn survive(url: &str) {
    let fleet = Fleet::on(url, "2s").await;
    let kills = std::env::var("TRIBUTARY_TEST_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    for _ in 0..kills {
        let (gateway, base_url) = fleet.serve();
        let answered = Arc::new(AtomicUsize::new(0));
        let callers = crowd(&base_url, &fleet.token, &answered);
        let enough = async {
            while answered.load(Ordering::Relaxed) < ANSWERS_BEFORE {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, enough).await.expect("callers are answered");
        let held = hold_commits(&fleet);
        tokio::time::sleep(HELD).await;
        drop(gateway); // kill -9
        drop(held);
        callers.join_all().await;
    }
    let (gateway, _) = fleet.serve();
    fleet.all_charged().await;
    gateway.terminate();

    let audit = fleet.audit().await;
    // What ran when it was killed, and what was answered but not settled yet.
    let marked = audit.marked.len();
    assert!((1..=2 * CALLERS * kills).contains(&marked), "{marked}");
}

/// Takes the file's one writer's place, so that leases answered before they are durable would
/// pile up, their requests sent. On Redis a lease is one script: nothing can come between.
fn hold_commits(fleet: &Fleet) -> Option<rusqlite::Connection> {
    let held = rusqlite::Connection::open(fleet.file()?).unwrap();
    held.busy_timeout(std::time::Duration::from_secs(2)).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    Some(held)
}

/// Callers that go on until the gateway is gone.
fn crowd(base_url: &str, token: &str, answered: &Arc<AtomicUsize>) -> JoinSet<()> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (client, answered) = (client.clone(), answered.clone());
        let (url, token) = (format!("{base_url}/chat/completions"), format!("Bearer {token}"));
        callers.spawn(async move {
            for turn in 0.. {
                let mut body =
                    ask("gpt-4.1", &format!("pace 2 ms say {} words", 3 + (caller + turn) % 40));
                body["stream"] = json!(turn % 2 == 0);
                let request = Request::post(&url).header("authorization", &token);
                let request = request.body(Full::from(body.to_string())).unwrap();
                let Ok(response) = client.request(request).await else { return };
                assert_eq!(response.status(), 200);
                let Ok(_) = response.into_body().collect().await else { return };
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    callers
}

both! {
    #[wish(Wish { lease_deadline: SignedDuration::from_millis(1200), ..Wish::default() })]
    async fn a_living_gateway_keeps_a_lease_past_its_deadline(rig: Rig) {
        let answer = rig.chat_streamed(ask("gpt-4.1", "pace 100 ms say 40 words")).await;
        let record = rig.record(&answer).await;
        assert!(record.took_ms > 3600, "{record:?}");
        assert!(matches!(record.attempts[0].charge, Charge::Exact(_)), "{record:?}");
        rig.all_settled(PLATFORM).await;
        let rows = rig.charges(PLATFORM).await;
        let kinds: Vec<_> = rows.iter().map(|row| row.kind).collect();
        assert_eq!(kinds, [ChargeKind::Exact], "it was never charged by its estimate");
    }
}
