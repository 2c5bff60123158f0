//! What one lease costs with ten accounts and with ten thousand, when it is easy and when
//! much happens at once, under each policy.
//!
//! On Redis: the mean time of the script, by the server's own statistics. Embedded: CPU of
//! this process, commit included, for leases asked one after the other. The mean of the
//! first leases after the event, the least of some runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tributary::accounts::{
    AccountId, Charge, Conversation, Health, LeaseAsk, LeaseId, LeaseKey, PlatformId, Policy,
    Resets, Rest, Settlement, TokenId, Tokens, User,
};
use tributary::store::{Clock, Store, redis, sqlite};
use tributary::telemetry::clock;

use super::{LIMIT, bind, cpu_ns};

const SIZES: [usize; 3] = [10, 1_000, 10_000];
const LEASES: u64 = 400;
/// On a machine that others use too.
const RUNS: usize = 3;
const MODEL: &str = "qwen-plus";
const ZONE: &str = "Asia/Shanghai";

#[derive(Clone, Copy)]
enum Case {
    Normal,
    /// Every window ends in the same instant.
    MassReset,
    HalfCooling,
    /// Nine in ten are blocked for the model.
    MostBlocked,
    /// Nine in ten have less left than the next request asks for.
    MostNearlySpent,
}

const CASES: [(&str, Case); 5] = [
    ("normal", Case::Normal),
    ("all windows reset at once", Case::MassReset),
    ("half cooling", Case::HalfCooling),
    ("90 % blocked for the model", Case::MostBlocked),
    ("90 % nearly used up", Case::MostNearlySpent),
];

/// Prints a line for each case under each policy, us a lease.
pub async fn measure(url: Option<&str>, policies: &[Policy]) {
    for &policy in policies {
        measure_policy(url, policy).await;
    }
}

async fn measure_policy(url: Option<&str>, policy: Policy) {
    let head = format!("us a lease, {policy}");
    println!("\n{head:<28}{:>8}{:>9}{:>9}   most : least", "10", "1,000", "10,000");
    for (name, case) in CASES {
        let mut line = Vec::new();
        for size in SIZES {
            let mut least = f64::MAX;
            for _ in 0..RUNS {
                least = least.min(run(url, policy, case, size).await);
            }
            line.push(least);
        }
        let (most, least) = (line.iter().copied().fold(0.0, f64::max), line.iter().copied());
        let least = least.fold(f64::MAX, f64::min);
        let [a, b, c] = line[..] else { unreachable!("three sizes") };
        println!("{name:<28}{a:>8.1}{b:>9.1}{c:>9.1}   {:.2}", most / least);
    }
}

async fn run(url: Option<&str>, policy: Policy, case: Case, size: usize) -> f64 {
    let now = Arc::new(AtomicI64::new(clock::now_ms()));
    let tells: Clock = {
        let now = now.clone();
        Arc::new(move || Timestamp::from_millisecond(now.load(Ordering::SeqCst)).unwrap())
    };
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = match url {
        Some(url) => {
            let options = redis::Options { clock: Some(tells), ..redis::Options::default() };
            Arc::new(redis::RedisStore::open(url, options).await.unwrap())
        }
        None => {
            let options = sqlite::Options { clock: tells, ..sqlite::Options::default() };
            Arc::new(sqlite::SqliteStore::open(&folder.path().join("bench.db"), options).unwrap())
        }
    };
    let user = store.add_user(&format!("latency {}", getrandom::u64().unwrap())).await.unwrap();
    store.set_pool_policy(user.pool, Some(policy)).await.unwrap();
    bind(&*store, &user, size).await;
    let resets = || {
        let now = Timestamp::from_millisecond(now.load(Ordering::SeqCst)).unwrap();
        Resets::after(now, [ZONE])
    };
    let states = store.accounts_in(&[user.pool], &resets()).await.unwrap();
    let accounts: Vec<AccountId> = states.iter().map(|state| state.account.id).collect();
    use_each(&*store, &user, &accounts, &resets()).await;
    happen(&*store, case, &user, &accounts, &now).await;

    let mut server = match url {
        Some(url) => Some(Server::reset(url).await),
        None => None,
    };
    let cpu = cpu_ns();
    for _ in 0..LEASES {
        lease(&*store, &user, None, &resets()).await;
    }
    match &mut server {
        Some(server) => server.us_a_script().await,
        None => (cpu_ns() - cpu) as f64 / LEASES as f64 / 1000.0,
    }
}

/// Uses something of every window, so that each will reset.
async fn use_each(store: &dyn Store, user: &User, accounts: &[AccountId], resets: &Resets) {
    for some in accounts.chunks(64) {
        let keys = join_all(some.iter().map(|&id| lease(store, user, Some(id), resets))).await;
        let charge = Charge::Exact(Tokens(900));
        let batch =
            keys.into_iter().map(|lease| Settlement { lease: lease.into(), charge }).collect();
        store.settle(batch, resets).await.unwrap();
    }
}

async fn happen(
    store: &dyn Store,
    case: Case,
    user: &User,
    accounts: &[AccountId],
    now: &AtomicI64,
) {
    let at = Timestamp::from_millisecond(now.load(Ordering::SeqCst)).unwrap();
    match case {
        Case::Normal => {}
        Case::MassReset => {
            let midnight = Resets::after(at, [ZONE]).next(ZONE, at).unwrap();
            now.store(midnight.as_millisecond(), Ordering::SeqCst);
        }
        Case::HalfCooling => {
            let health = Health::Cooling {
                until: at + SignedDuration::from_hours(1),
                reason: "bench".into(),
                out_of_quota: false,
                tries_at: None,
            };
            for some in accounts[..accounts.len() / 2].chunks(64) {
                let cool = some.iter().map(|&id| store.set_health(id, health.clone()));
                join_all(cool).await.into_iter().for_each(|done| _ = done.unwrap());
            }
        }
        Case::MostNearlySpent => {
            let resets = Resets::after(at, [ZONE]);
            let charge = Charge::Exact(Tokens(LIMIT - 1400));
            for some in accounts[..accounts.len() * 9 / 10].chunks(64) {
                let keys = some.iter().map(|&id| lease(store, user, Some(id), &resets));
                let keys = join_all(keys).await.into_iter();
                let batch = keys.map(|lease| Settlement { lease: lease.into(), charge }).collect();
                store.settle(batch, &resets).await.unwrap();
            }
        }
        Case::MostBlocked => {
            let rest = Rest::after(Duration::from_secs(1800));
            for some in accounts[..accounts.len() * 9 / 10].chunks(64) {
                let block = some.iter().map(|&id| store.block_model(id, MODEL, rest.clone()));
                join_all(block).await.into_iter().for_each(|done| done.unwrap());
            }
        }
    }
}

async fn lease(
    store: &dyn Store,
    user: &User,
    only: Option<AccountId>,
    resets: &Resets,
) -> LeaseKey {
    let platform = PlatformId::from("qwen");
    let id = LeaseId(u128::from(getrandom::u64().unwrap()) << 64 | 7);
    let ask = LeaseAsk {
        id,
        user: user.id,
        token: TokenId(1),
        pool: user.pool,
        platform: &platform,
        model: &MODEL.into(),
        estimate: Tokens(1000),
        only,
        except: &[],
        // Read where the pool is sticky.
        conversation: Some(Conversation(getrandom::u64().unwrap() % 5000)),
        resets,
    };
    let grant = store.lease(ask).await.unwrap().unwrap();
    LeaseKey {
        id,
        pool: user.pool,
        platform: platform.clone(),
        account: grant.account,
        user: user.id,
        token: TokenId(1),
        model: MODEL.into(),
        estimate: Tokens(1000),
        granted_at: grant.granted_at,
    }
}

/// A server's own statistics.
struct Server(::redis::aio::MultiplexedConnection);

impl Server {
    async fn reset(url: &str) -> Self {
        let client = ::redis::Client::open(url).unwrap();
        let mut link = client.get_multiplexed_async_connection().await.unwrap();
        () = ::redis::cmd("CONFIG").arg("RESETSTAT").query_async(&mut link).await.unwrap();
        Self(link)
    }

    async fn us_a_script(&mut self) -> f64 {
        let info = ::redis::cmd("INFO").arg("commandstats").to_owned();
        let text: String = info.query_async(&mut self.0).await.unwrap();
        let line = text.lines().find(|line| line.starts_with("cmdstat_evalsha:")).unwrap();
        let mean = line.split("usec_per_call=").nth(1).unwrap();
        mean.split(',').next().unwrap().parse().unwrap()
    }
}
