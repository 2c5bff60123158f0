//! A gateway that is killed: every lease that it was granted is charged.
//!
//! The gateway is this test binary, started again to run one hidden test.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tributary::accounts::{Charge, ChargeKind, ChargeRow, PlatformId, Resets, User};
use tributary::store::{Store, redis, sqlite};
use tributary::telemetry::clock;

use crate::rig::{Held, Rig, Server};

/// After so many grants the gateway is killed.
const GRANTS: usize = 400;

async fn open(url: &str, later: Duration) -> Arc<dyn Store> {
    let time = Arc::new(move || clock::now() + later);
    match url.strip_prefix("sqlite:") {
        Some(file) => {
            let options = sqlite::Options { clock: time, ..sqlite::Options::default() };
            Arc::new(sqlite::SqliteStore::open(file.as_ref(), options).unwrap())
        }
        None => {
            let options = redis::Options { clock: Some(time), ..redis::Options::default() };
            Arc::new(redis::RedisStore::open(url, options).await.unwrap())
        }
    }
}

/// Leases and settles until it is killed, and says each as soon as it is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the tests below, in a process of its own"]
async fn gateway() {
    let mut url = String::new();
    std::io::stdin().read_line(&mut url).unwrap();
    let rig = Arc::new(Rig::live(open(url.trim(), Duration::ZERO).await));
    let user = rig.user().await;
    for _ in 0..10 {
        rig.account(&user, 1_000_000_000).await;
    }
    say(&format!("user {}", serde_json::to_string(&user).unwrap()));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..16_u64 {
        let (rig, user) = (rig.clone(), user.clone());
        tasks.spawn(async move {
            for turn in 0.. {
                let held: Held = rig.ask(&user, 100 + turn % 7).held().await;
                say(&format!("granted {} {}", held.key.id, held.key.estimate));
                if (task + turn) % 3 != 0 {
                    let tokens = 50 + turn;
                    rig.settle(&held, Charge::Exact(tributary::accounts::Tokens(tokens))).await;
                    say(&format!("settled {} {tokens}", held.key.id));
                }
            }
        });
    }
    tasks.join_all().await;
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

/// What a gateway said before it was killed.
struct Said {
    user: User,
    granted: HashMap<String, i64>,
    settled: HashMap<String, i64>,
}

fn kill_a_gateway(url: &str) -> Said {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::gateway", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{url}").unwrap();
    let (mut user, mut granted, mut settled) = (None, HashMap::new(), HashMap::new());
    // What was said before the kill is read to its end.
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(json) = line.strip_prefix("user ") {
            user = Some(serde_json::from_str(json).unwrap());
        }
        // A last line may be cut short.
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["granted", id, tokens] => _ = granted.insert(id.into(), tokens.parse().unwrap()),
            ["settled", id, tokens] => _ = settled.insert(id.into(), tokens.parse().unwrap()),
            _ => {}
        }
        if granted.len() == GRANTS {
            // SIGKILL.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    Said { user: user.unwrap(), granted, settled }
}

async fn charges(store: &dyn Store, user: &User) -> HashMap<String, ChargeRow> {
    let qwen = PlatformId::from("qwen");
    let rows = store.charges(user.pool, &qwen, None, 1_000_000).await.unwrap();
    let count = rows.len();
    let by_lease: HashMap<String, ChargeRow> =
        rows.into_iter().map(|row| (row.lease.to_string(), row)).collect();
    assert_eq!(by_lease.len(), count, "a lease was charged twice");
    by_lease
}

async fn every_grant_is_charged(url: &str) {
    let said = kill_a_gateway(url);
    assert!(said.granted.len() >= GRANTS && said.settled.len() > GRANTS / 3);
    let store = open(url, Duration::from_secs(121)).await;
    let resets = Resets::after(clock::now(), crate::rig::ZONES);
    assert!(store.sweep(&resets).await.unwrap() > GRANTS / 4);
    let charges = charges(&*store, &said.user).await;
    for (id, estimate) in &said.granted {
        let row = charges.get(id).unwrap_or_else(|| panic!("{id} was granted and never charged"));
        match said.settled.get(id) {
            Some(&tokens) => assert_eq!((row.kind, row.tokens), (ChargeKind::Exact, tokens)),
            // Its settlement may have been durable before it was answered.
            None if row.kind == ChargeKind::Exact => {}
            None => assert_eq!((row.kind, row.tokens), (ChargeKind::Estimated, *estimate)),
        }
    }
    let used: u64 = store
        .accounts_in(&[said.user.pool], &resets)
        .await
        .unwrap()
        .iter()
        .map(|state| state.windows[0].used.0)
        .sum();
    assert_eq!(used.cast_signed(), charges.values().map(|row| row.tokens).sum::<i64>());
}

#[tokio::test]
async fn every_grant_of_a_killed_gateway_is_charged_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    every_grant_is_charged(&format!("sqlite:{}", folder.path().join("state.db").display())).await;
}

#[tokio::test]
async fn every_grant_of_a_killed_gateway_is_charged_on_redis() {
    let server = Server::shared();
    every_grant_is_charged(&server.fresh_url()).await;
}
