//! What one request costs in the store: a lease, its settlement and its record.
//!
//! `cargo bench --bench store [-- redis://HOST:PORT/DB]`. Prints the CPU that this
//! process used for each (all its threads), on Redis beside it the server's, and how many a
//! second there were. Leases are asked by 64 tasks; settlements and records travel in
//! batches behind the answer, as they do in the gateway, up to 64 at a time. Then what a
//! lease costs as accounts grow, under each policy ([`latency`]); `-- latency` measures that
//! alone, `-- latency sticky` under one, `-- pace` leaves it out.

#![allow(clippy::unwrap_used, reason = "a bench says what is wrong by panicking")]

#[path = "store/latency.rs"]
mod latency;
#[path = "store/pace.rs"]
mod pace;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tributary::accounts::{
    Attempt, Billing, Charge, LeaseAsk, LeaseId, LeaseKey, NewAccount, Origin, Period, PlatformId,
    Points, Policy, Priority, Record, Resets, Settlement, TokenId, Tokens, User, WindowSpec,
};
use tributary::store::{Settings, Store, open};
use tributary::telemetry::clock;
use tributary::vault::SealedCredential;

use pace::{Pace, cpu_ns};

/// What each account may use a day.
const LIMIT: u64 = 1_000_000_000;
const TASKS: usize = 64;
const REQUESTS: u64 = 100_000;
const BATCH: usize = 64;

fn main() {
    let url = std::env::args().skip(1).find(|arg| arg.contains(':'));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let only_latency = std::env::args().any(|arg| arg == "latency");
    for accounts in [10, 1_000, 10_000].into_iter().filter(|_| !only_latency) {
        let folder = tempfile::tempdir().unwrap();
        let file = format!("sqlite:{}", folder.path().join("bench.db").display());
        let url = url.clone().unwrap_or(file);
        runtime.block_on(measure(&url, accounts));
    }
    let named = |policy: &Policy| std::env::args().any(|arg| arg == policy.name());
    let mut policies: Vec<Policy> = Policy::ALL.into_iter().filter(named).collect();
    if policies.is_empty() {
        policies = Policy::ALL.into();
    }
    if std::env::args().all(|arg| arg != "pace") {
        runtime.block_on(latency::measure(url.as_deref(), &policies));
    }
}

async fn measure(url: &str, accounts: usize) {
    let store = open(&Settings { url: url.into(), ..Settings::default() }).await.unwrap();
    let user = store.add_user(&format!("bench {}", getrandom::u64().unwrap())).await.unwrap();
    bind(&*store, &user, accounts).await;
    let next = Arc::new(AtomicU64::new(1));

    let began = Pace::begin(url).await;
    let keys = leases(&store, &user, &next).await;
    let lease = began.end(url).await;
    let began = Pace::begin(url).await;
    settle(&*store, keys).await;
    let settled = began.end(url).await;
    next.store(REQUESTS + 1, Ordering::Relaxed);
    let began = Pace::begin(url).await;
    whole(&store, &user, &next).await;
    let whole = began.end(url).await;
    println!("{accounts:>6} accounts: lease {lease}; settle {settled}; with record {whole}");
}

/// Leases from many tasks.
async fn leases(store: &Arc<dyn Store>, user: &User, next: &Arc<AtomicU64>) -> Vec<LeaseKey> {
    let (ended, mut ends) = mpsc::channel(REQUESTS as usize);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..TASKS {
        tasks.spawn(requests(store.clone(), user.clone(), next.clone(), REQUESTS, ended.clone()));
    }
    drop(ended);
    tasks.join_all().await;
    let mut keys = Vec::new();
    while ends.recv_many(&mut keys, BATCH).await > 0 {}
    keys
}

/// Settles them in the gateway's batches, one after the other.
async fn settle(store: &dyn Store, keys: Vec<LeaseKey>) {
    let resets = resets();
    for some in keys.chunks(BATCH) {
        store.settle(some.iter().map(settlement).collect(), &resets).await.unwrap();
    }
}

/// Requests as the gateway makes them: what ended is settled and recorded behind the others.
async fn whole(store: &Arc<dyn Store>, user: &User, next: &Arc<AtomicU64>) {
    let (ended, ends) = mpsc::channel(4 * BATCH);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(settle_behind(store.clone(), ends));
    for _ in 0..TASKS {
        let (user, next) = (user.clone(), next.clone());
        tasks.spawn(requests(store.clone(), user, next, 2 * REQUESTS, ended.clone()));
    }
    drop(ended);
    tasks.join_all().await;
}

fn settlement(key: &LeaseKey) -> Settlement {
    Settlement { lease: key.clone().into(), charge: Charge::Exact(Tokens(900)) }
}

async fn bind(store: &dyn Store, user: &User, accounts: usize) {
    let all: Vec<usize> = (0..accounts).collect();
    for some in all.chunks(500) {
        join_all(some.iter().map(|&index| bind_one(store, user, index))).await;
    }
}

async fn bind_one(store: &dyn Store, user: &User, index: usize) {
    let account = NewAccount {
        id: store.reserve_account_id().await.unwrap(),
        pool: user.pool,
        owner: user.id,
        owner_proof: String::new(),
        platform: "qwen".into(),
        name: index.to_string(),
        dialect: None,
        windows: vec![WindowSpec {
            period: Period::Day { zone: "Asia/Shanghai".into() },
            limit: Some(Tokens(LIMIT)),
            origin: Origin::Catalogue,
        }],
        priority: Priority::try_from((index % 100) as u8).unwrap(),
        sealed: SealedCredential {
            wrapped_key: "k".repeat(80).into(),
            body: "c".repeat(300).into(),
        },
        generation: 1,
        expires_at: None,
    };
    store.add_account(account).await.unwrap();
}

async fn requests(
    store: Arc<dyn Store>,
    user: User,
    next: Arc<AtomicU64>,
    last: u64,
    ended: mpsc::Sender<LeaseKey>,
) {
    let resets = resets();
    let (platform, model) = (PlatformId::from("qwen"), Arc::from("qwen-plus"));
    loop {
        let turn = next.fetch_add(1, Ordering::Relaxed);
        if turn > last {
            return;
        }
        // Ids are random, so that no index is helped by their order.
        let id = LeaseId(u128::from(turn).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        let ask = LeaseAsk {
            id,
            user: user.id,
            token: TokenId(1),
            pool: user.pool,
            platform: &platform,
            model: &model,
            estimate: Tokens(1000),
            only: None,
            except: &[],
            conversation: None,
            resets: &resets,
        };
        let grant = store.lease(ask).await.unwrap().unwrap();
        let key = LeaseKey {
            id,
            pool: user.pool,
            platform: platform.clone(),
            account: grant.account,
            user: user.id,
            token: TokenId(1),
            model: model.clone(),
            estimate: Tokens(1000),
            granted_at: grant.granted_at,
        };
        ended.send(key).await.unwrap();
    }
}

/// Settles and records what ended, so many at a time as have gathered.
async fn settle_behind(store: Arc<dyn Store>, mut ends: mpsc::Receiver<LeaseKey>) {
    let resets = resets();
    let mut keys = Vec::new();
    while ends.recv_many(&mut keys, BATCH).await > 0 {
        let records = keys.iter().map(|key| Arc::new(record(key))).collect();
        let settlements = keys.drain(..).map(|key| settlement(&key)).collect();
        let (settled, recorded) =
            futures_util::join!(store.settle(settlements, &resets), store.record(records));
        settled.and(recorded).unwrap();
    }
}

fn resets() -> Resets {
    Resets::after(clock::now(), ["Asia/Shanghai", "UTC"])
}

fn record(key: &LeaseKey) -> Record {
    Record {
        id: key.id.to_string(),
        at: clock::now(),
        user: key.user,
        token: TokenId(1),
        model: "qwen-plus".into(),
        streamed: true,
        input: Tokens(600),
        cache_read: Tokens(0),
        cache_write: Tokens(0),
        output: Tokens(300),
        reasoning: Tokens(0),
        estimated: false,
        took_ms: 900,
        first_byte_ms: Some(200),
        billing: Billing::Quota,
        points: Points::ZERO,
        outcome: "ok".into(),
        attempts: vec![Attempt {
            lease: key.id,
            account: key.account,
            platform: key.platform.clone(),
            model: "qwen-plus".into(),
            remaining: Some(1_000_000),
            candidates: Some(10),
            policy: Some(Policy::MostRemaining),
            stayed: false,
            outcome: "ok".into(),
            charge: Charge::Exact(Tokens(900)),
            points: Points::ZERO,
            took_ms: 890,
        }],
        bodies: None,
    }
}
