//! kill -9 in the middle of a crowd's requests, and books that can still be audited.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tributary::accounts::{AccountState, Charge, ChargeKind, ChargeRow, PlatformId, Resets};
use tributary::simulator::Simulator;
use tributary::store;
use tributary::telemetry::clock;

use crate::both;
use crate::rig::{KEYS, Rig, Server, Wish, ask, configured, tail};
use crate::shell::{self, Running};

const CALLERS: usize = 64;
const KILLS: usize = 3;
/// Answers that callers get before each kill.
const ANSWERS_BEFORE: usize = 150;
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
    let simulator = Simulator::start().await.unwrap();
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[operator]\nlisten = \"127.0.0.1:0\"\n\
         [store]\nurl = \"{url}\"\nlease_deadline = \"2s\"\n[log]\nfilter = \"error\"\n{}",
        configured(&simulator)
    );
    let shell = shell::Rig::new(&config);
    shell.run(&["user", "add", "tester"]).ok();
    let token = shell.run(&["--json", "token", "create", "--user", "tester"]).json();
    let token = token["token"].as_str().unwrap().to_owned();
    for (number, key) in KEYS[0].1.iter().enumerate() {
        let file = shell.write("key", key);
        let (name, file) = (format!("account-{number}"), file.to_str().unwrap());
        let words = ["account", "add", "--user", "tester", "--platform", PLATFORM, "--name", &name];
        shell.run(&[&words[..], &["--key-file", file]].concat()).ok();
    }

    for _ in 0..KILLS {
        let (gateway, base_url) = serve(&shell);
        let answered = Arc::new(AtomicUsize::new(0));
        let callers = crowd(&base_url, &token, &answered);
        let enough = async {
            while answered.load(Ordering::Relaxed) < ANSWERS_BEFORE {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, enough).await.expect("callers are answered");
        let held = hold_commits(&shell, url);
        tokio::time::sleep(HELD).await;
        drop(gateway); // kill -9
        drop(held);
        callers.join_all().await;
    }
    let (gateway, _) = serve(&shell);
    wait_until_all_is_charged(&shell).await;
    gateway.terminate();

    let (states, rows) = books(&shell, url).await;
    for (state, key) in states.iter().zip(KEYS[0].1) {
        let rows = rows.iter().filter(|row| row.account == state.account.id).collect();
        audit(state, rows, &requests(&simulator, &tail(key)).await);
    }
    let estimated = rows.iter().filter(|row| row.kind == ChargeKind::Estimated).count();
    // What ran when it was killed, and what was answered but not settled yet.
    assert!((1..=2 * CALLERS * KILLS).contains(&estimated), "{estimated}");
}

/// One account's charges beside what its platform counted.
fn audit(state: &AccountState, rows: Vec<&ChargeRow>, requests: &[u64]) {
    let mut leases: Vec<_> = rows.iter().map(|row| row.lease).collect();
    leases.sort_unstable();
    leases.dedup();
    assert_eq!(leases.len(), rows.len(), "each lease is charged once");
    let sum: i64 = rows.iter().map(|row| row.tokens).sum();
    assert_eq!(state.windows[0].used.signed(), sum, "the books are the rows' sum");
    assert!(rows.len() >= requests.len(), "a lease was durable before its request was sent");

    // What was charged exactly is among the platform's figures; what is left of these
    // belongs to leases that are marked.
    let mut unexplained: BTreeMap<i64, i64> = BTreeMap::new();
    for &tokens in requests {
        *unexplained.entry(tokens.cast_signed()).or_default() += 1;
    }
    for row in rows.iter().filter(|row| row.kind == ChargeKind::Exact) {
        *unexplained.entry(row.tokens).or_default() -= 1;
    }
    assert!(unexplained.values().all(|&count| count >= 0), "a figure that no platform gave");
    let unexplained: i64 = unexplained.values().sum();
    let marked = rows.iter().filter(|row| row.kind == ChargeKind::Estimated).count();
    assert!(
        unexplained <= marked.try_into().unwrap(),
        "{unexplained} unexplained, {marked} marked"
    );
}

/// Takes the file's one writer's place, so that leases answered before they are durable would
/// pile up, their requests sent. On Redis a lease is one script: nothing can come between.
fn hold_commits(shell: &shell::Rig, url: &str) -> Option<rusqlite::Connection> {
    let file = shell.path().join(url.strip_prefix("sqlite:")?);
    let held = rusqlite::Connection::open(file).unwrap();
    held.busy_timeout(std::time::Duration::from_secs(2)).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    Some(held)
}

fn serve(shell: &shell::Rig) -> (Running, String) {
    let mut gateway = shell.start(&["--json", "serve"]);
    let line: Value = serde_json::from_str(&gateway.first_line()).unwrap();
    (gateway, line["base_url"].as_str().unwrap().to_owned())
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

async fn wait_until_all_is_charged(shell: &shell::Rig) {
    let patience = clock::now() + SignedDuration::from_secs(30);
    loop {
        let accounts = shell.run(&["--json", "account", "list"]).json();
        let mut windows = accounts.as_array().unwrap().iter().map(|it| &it["windows"][0]);
        if windows.all(|window| window["leased"] == 0) {
            return;
        }
        assert!(clock::now() < patience, "{accounts}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

/// The accounts and every charge on them.
async fn books(shell: &shell::Rig, url: &str) -> (Vec<AccountState>, Vec<ChargeRow>) {
    let url = match url.strip_prefix("sqlite:") {
        Some(file) => format!("sqlite:{}", shell.path().join(file).display()),
        None => url.to_owned(),
    };
    let store = store::open(&store::Settings { url, ..Default::default() }).await.unwrap();
    let user = store.user_named("tester").await.unwrap().unwrap();
    let resets = Resets::after(clock::now(), ["UTC", "Asia/Shanghai"]);
    let states = store.accounts_in(&[user.pool], &resets).await.unwrap();
    let mut rows: Vec<ChargeRow> = Vec::new();
    loop {
        let after = rows.last().map(|row| row.cursor.clone());
        let platform = PlatformId::from(PLATFORM);
        let page = store.charges(user.pool, &platform, after.as_deref(), 500).await.unwrap();
        if page.is_empty() {
            return (states, rows);
        }
        rows.extend(page);
    }
}

/// What a platform counted for each request of a credential.
async fn requests(simulator: &Simulator, credential: &str) -> Vec<u64> {
    let url = format!("{}/_sim/ledger", simulator.origin(PLATFORM).unwrap());
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let body = client.get(url.parse().unwrap()).await.unwrap().into_body();
    let ledger: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
    let rows = ledger["requests"].as_array().unwrap().iter();
    let own = rows.filter(|row| row["credential"] == credential);
    let tokens = |row: &Value, field: &str| row[field].as_u64().unwrap();
    own.map(|row| tokens(row, "prompt_tokens") + tokens(row, "completion_tokens")).collect()
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
