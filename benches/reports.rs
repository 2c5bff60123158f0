//! How long reports of usage take over a year of many accounts.
//!
//! `cargo bench --bench reports [-- redis://HOST:PORT/DB] [-- crowded] [-- quick]`. On each day of
//! a year every account has a call that is leased, settled and recorded, the day by a clock of
//! the bench's own; on Redis too where an empty one is named. Then each report that
//! `GET /api/v1/usage` gives is read by one user after the other. A hundred users have ten
//! accounts each; `crowded`: one has them all. `quick`: a month of a few accounts, for a smoke
//! test.

#![allow(clippy::unwrap_used, reason = "a bench says what is wrong by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::future::join_all;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use tributary::accounts::{
    AccountId, Attempt, Billing, By, Charge, LeaseAsk, LeaseId, LeaseKey, NewAccount, Origin,
    Period, PlatformId, Points, Policy, Priority, Record, Report, Resets, Settlement, TokenId,
    Tokens, User, WindowSpec,
};
use tributary::store::redis::RedisStore;
use tributary::store::sqlite::SqliteStore;
use tributary::store::{Clock, Store, redis, sqlite};
use tributary::telemetry::clock::{self, Stopwatch};
use tributary::vault::SealedCredential;

const PLATFORMS: [&str; 5] = ["qwen", "ernie", "glm", "spark", "openai"];
const MODELS: i64 = 3;
const TOKENS: i64 = 4;
/// How many calls are made at once.
const CROWD: usize = 100;

/// How much there is.
#[derive(Clone, Copy)]
struct Plan {
    users: usize,
    /// Of each user.
    accounts: usize,
    days: i64,
    /// How often each report is read, of one user after the other.
    rounds: usize,
}

fn main() {
    let is = |word: &str| std::env::args().any(|arg| arg == word);
    let mut plan = match is("quick") {
        true => Plan { users: 4, accounts: 5, days: 31, rounds: 8 },
        false => Plan { users: 100, accounts: 10, days: 365, rounds: 200 },
    };
    if is("crowded") {
        plan = Plan { users: 1, accounts: plan.users * plan.accounts, rounds: 20, ..plan };
    }
    let url = std::env::args().find(|arg| arg.starts_with("redis"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let Plan { users, accounts, days, .. } = plan;
    println!("{users} users, {accounts} accounts each, {days} days\n");
    println!("| report | store | rows | p50 ms | p99 ms |");
    println!("| --- | --- | --- | --- | --- |");
    runtime.block_on(async {
        let now_ms = Arc::new(AtomicI64::new(0));
        let reads = now_ms.clone();
        let clock: Clock =
            Arc::new(move || Timestamp::from_millisecond(reads.load(Ordering::Relaxed)).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let options = sqlite::Options { clock: clock.clone(), ..sqlite::Options::default() };
        let store = SqliteStore::open(&folder.path().join("bench.db"), options).unwrap();
        measure("SQLite", Arc::new(store), &now_ms, plan).await;
        if let Some(url) = url {
            let options = redis::Options { clock: Some(clock), ..redis::Options::default() };
            let store = RedisStore::open(&url, options).await.unwrap();
            measure("Redis", Arc::new(store), &now_ms, plan).await;
        }
    });
}

async fn measure(name: &str, store: Arc<dyn Store>, now_ms: &AtomicI64, plan: Plan) {
    let today = TimeZone::UTC.to_datetime(clock::now()).date();
    let first = today.saturating_sub((plan.days - 1).days());
    now_ms.store(noon(first).as_millisecond(), Ordering::Relaxed);
    let mut users = Vec::new();
    for _ in 0..plan.users {
        let user = store.add_user(&format!("bench {}", getrandom::u64().unwrap())).await.unwrap();
        let accounts = bind(&*store, &user, plan.accounts).await;
        users.push((user, accounts));
    }
    let began = Stopwatch::start();
    for (number, day) in (0..).zip(first.series(1.day()).take(plan.days as usize)) {
        now_ms.store(noon(day).as_millisecond(), Ordering::Relaxed);
        spend(&*store, &users, noon(day), number).await;
    }
    eprintln!("{name}: filled in {:.0} s", began.elapsed().as_secs_f64());
    let month = today.saturating_sub(30.days());
    use By::{Account, Day, Model, Platform, Token};
    let reports: [(&str, Date, &[By]); 8] = [
        ("a year by day", first, &[Day]),
        ("a year by model", first, &[Model]),
        ("a year by platform", first, &[Platform]),
        ("a year by account", first, &[Account]),
        ("a year by token", first, &[Token]),
        ("a year by day, platform, model", first, &[Day, Platform, Model]),
        ("31 days by day, platform, model", month, &[Day, Platform, Model]),
        ("31 days by account, model", month, &[Account, Model]),
    ];
    for (what, from, by) in reports {
        let mut took = Vec::new();
        let mut rows = 0;
        for (user, _) in users.iter().cycle().take(plan.rounds) {
            let since = Stopwatch::start();
            let mut report = Report::new(by.to_vec());
            for total in store.totals_of(user.id, from, today).await.unwrap() {
                report.add(total);
            }
            rows = report.rows(|_| None).iter().map(Report::facts).count();
            took.push(since.elapsed().as_secs_f64() * 1000.0);
        }
        took.sort_by(f64::total_cmp);
        let at = |share: f64| took[((took.len() - 1) as f64 * share).round() as usize];
        println!("| {what} | {name} | {rows} | {:.1} | {:.1} |", at(0.5), at(0.99));
    }
}

fn noon(day: Date) -> Timestamp {
    day.at(12, 0, 0, 0).to_zoned_datetime(TimeZone::UTC).unwrap().timestamp()
}

fn platform_of(account: usize) -> &'static str {
    PLATFORMS[account % PLATFORMS.len()]
}

async fn bind(store: &dyn Store, user: &User, count: usize) -> Vec<AccountId> {
    let mut bound = Vec::new();
    for number in 0..count {
        let id = store.reserve_account_id().await.unwrap();
        let account = NewAccount {
            id,
            pool: user.pool,
            owner: user.id,
            owner_proof: String::new(),
            platform: platform_of(number).into(),
            name: number.to_string(),
            dialect: None,
            windows: vec![WindowSpec {
                period: Period::Day { zone: "UTC".into() },
                limit: Some(Tokens(1_000_000_000)),
                origin: Origin::Catalogue,
            }],
            priority: Priority::default(),
            sealed: SealedCredential {
                wrapped_key: "k".repeat(80).into(),
                body: "c".repeat(300).into(),
            },
            generation: 1,
            expires_at: None,
        };
        store.add_account(account).await.unwrap();
        bound.push(id);
    }
    bound
}

/// One call on each account.
async fn spend(store: &dyn Store, users: &[(User, Vec<AccountId>)], at: Timestamp, day: i64) {
    let resets = Resets::after(at, ["UTC"]);
    let of_user = |(user, accounts): &(User, Vec<AccountId>)| {
        let user = user.clone();
        accounts
            .iter()
            .copied()
            .enumerate()
            .map(move |(n, account)| (n, account, user.clone()))
            .collect::<Vec<_>>()
    };
    let all: Vec<(usize, AccountId, User)> = users.iter().flat_map(of_user).collect();
    for some in all.chunks(CROWD) {
        let leases = some.iter().map(|one| lease(store, &resets, one, day));
        let leases: Vec<LeaseKey> = join_all(leases).await;
        let records = leases.iter().map(|key| Arc::new(record(key, at))).collect();
        let charge = Charge::Exact(Tokens(900));
        let settlements =
            leases.into_iter().map(|lease| Settlement { lease: lease.into(), charge });
        let settled = store.settle(settlements.collect(), &resets);
        let (settled, recorded) = futures_util::join!(settled, store.record(records));
        settled.and(recorded).unwrap();
    }
    _ = store.sweep(&resets).await.unwrap();
}

/// A lease of a user's number-th account.
async fn lease(
    store: &dyn Store,
    resets: &Resets,
    (number, account, user): &(usize, AccountId, User),
    day: i64,
) -> LeaseKey {
    let turn = day + i64::try_from(*number).unwrap();
    let model = format!("model-{}", turn % MODELS).into();
    let token = TokenId(1 + turn % TOKENS);
    let platform = PlatformId::from(platform_of(*number));
    let id = LeaseId(u128::from(getrandom::u64().unwrap()));
    let ask = LeaseAsk {
        id,
        user: user.id,
        token,
        pool: user.pool,
        platform: &platform,
        model: &model,
        estimate: Tokens(1000),
        only: Some(*account),
        except: &[],
        conversation: None,
        resets,
    };
    let grant = store.lease(ask).await.unwrap().unwrap();
    LeaseKey {
        id,
        pool: user.pool,
        platform,
        account: *account,
        user: user.id,
        token,
        model,
        estimate: Tokens(1000),
        granted_at: grant.granted_at,
    }
}

fn record(key: &LeaseKey, at: Timestamp) -> Record {
    Record {
        id: key.id.to_string(),
        at,
        user: key.user,
        token: key.token,
        model: key.model.to_string(),
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
            model: key.model.clone(),
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
