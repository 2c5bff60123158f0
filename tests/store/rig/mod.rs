//! A store to test, with its clock in the test's hand.

mod ask;
#[path = "../../common/redis_ready.rs"]
mod redis_ready;
#[path = "../../common/redis_server.rs"]
mod server;
#[path = "../../common/redis_sets.rs"]
mod sets;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex, MutexGuard};
use tributary::accounts::{
    AccountId, AccountState, Charge, ChargeKind, ChargeRow, Harm, Health, LeaseId, LeaseKey,
    NewAccount, Origin, Period, PlatformId, Policy, Priority, Record, Resets, Rest, Settlement,
    TokenId, Tokens, User, WindowSpec,
};
use tributary::store::{Answer, Clock, Keep, Store, redis, sqlite};
use tributary::vault::SealedCredential;

pub use ask::{Ask, Held, fresh_id};
pub use server::{Memory, Server};
pub use sets::{Cluster, Process, Watched, cli, cli_all, free_ports, info, until, until_shared};

/// Runs a check on each store.
#[macro_export]
macro_rules! contract {
    ($(#[doc = $doc:literal])* async fn $name:ident($rig:ident: Rig) $body:block) => {
        $crate::contract! {
            #[wish($crate::rig::Wish::default())]
            async fn $name($rig: Rig) $body
        }
    };
    (#[wish($wish:expr)] async fn $name:ident($rig:ident: Rig) $body:block) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn check($rig: $crate::rig::Rig) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                check($crate::rig::Rig::sqlite($wish)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_redis() {
                check($crate::rig::Rig::redis($wish).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sentinel() {
                check($crate::rig::Rig::sentinel($wish).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_cluster() {
                check($crate::rig::Rig::cluster($wish).await).await;
            }
        }
    };
}

/// What a test's clock begins with: 20:00 in Shanghai.
pub const NOON: &str = "2026-11-24T12:00:00Z";
/// The next midnight in Shanghai after [`NOON`].
pub const MIDNIGHT: &str = "2026-11-24T16:00:00Z";

pub const ZONES: [&str; 4] = ["Asia/Shanghai", "UTC", "Europe/Berlin", "Africa/Cairo"];

/// A store and what a test needs to move it.
pub struct Rig {
    pub store: Arc<dyn Store>,
    clock: Arc<AtomicI64>,
    names: AtomicU64,
    home: Home,
}

/// What goes when the test ends.
#[expect(dead_code, reason = "held for its end")]
enum Home {
    Folder(tempfile::TempDir),
    Server(Arc<Server>),
    Cluster(MutexGuard<'static, ()>),
    Elsewhere,
}

/// What a test asks for beside the defaults.
#[derive(Clone, Copy, Default)]
pub struct Wish {
    pub keep: Keep,
}

impl Rig {
    pub fn sqlite(wish: Wish) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = clock_at(NOON);
        let store = open_sqlite(&folder, &clock, wish);
        Self { home: Home::Folder(folder), ..Self::on(store, clock) }
    }

    /// The same file, opened anew.
    pub fn reopened(self) -> Self {
        let Home::Folder(folder) = self.home else { panic!("a rig on a file") };
        drop(self.store);
        let store = open_sqlite(&folder, &self.clock, Wish::default());
        let rig = Self::on(store, self.clock);
        Self { home: Home::Folder(folder), names: self.names, ..rig }
    }

    /// What a gateway finds that starts after this one was killed: the files as they are,
    /// without anything that closing them would do.
    /// Answers whether there was one: a server is another process.
    pub fn crash(&mut self) -> bool {
        let Home::Folder(folder) = &self.home else { return false };
        let copy = tempfile::tempdir().unwrap();
        for name in ["test.db", "test.db-wal"] {
            std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
        }
        self.store = Arc::new(open_sqlite(&copy, &self.clock, Wish::default()));
        self.home = Home::Folder(copy);
        true
    }

    /// Where the file lies.
    pub fn folder(&self) -> &std::path::Path {
        let Home::Folder(folder) = &self.home else { panic!("a rig on a file") };
        folder.path()
    }

    /// On a store that the test opened itself.
    pub fn on(store: impl Store, clock: Arc<AtomicI64>) -> Self {
        Self { store: Arc::new(store), clock, names: AtomicU64::new(0), home: Home::Elsewhere }
    }

    /// On a store that has a clock of its own.
    pub fn live(store: Arc<dyn Store>) -> Self {
        let clock = Arc::new(AtomicI64::new(tributary::telemetry::clock::now_ms()));
        Self { store, clock, names: AtomicU64::new(0), home: Home::Elsewhere }
    }

    pub async fn redis(wish: Wish) -> Self {
        let server = Server::shared();
        let rig = Self::on_url(&server.fresh_url(), wish).await;
        Self { home: Home::Server(server), ..rig }
    }

    pub async fn sentinel(wish: Wish) -> Self {
        let url = tokio::task::spawn_blocking(|| Watched::shared().fresh_url()).await.unwrap();
        Self::on_url(&url, wish).await
    }

    /// A Cluster has one database: one test at a time has it.
    pub async fn cluster(wish: Wish) -> Self {
        static TURN: Mutex<()> = Mutex::const_new(());
        let turn = TURN.lock().await;
        let cluster = tokio::task::spawn_blocking(Cluster::shared).await.unwrap();
        cluster.clear();
        Self { home: Home::Cluster(turn), ..Self::on_url(&cluster.url(), wish).await }
    }

    /// On Redis, wherever that is.
    pub async fn on_url(url: &str, wish: Wish) -> Self {
        let clock = clock_at(NOON);
        let options = redis::Options {
            clock: Some(reads(&clock)),
            keep: wish.keep,
            ..redis::Options::default()
        };
        Self::on(redis::RedisStore::open(url, options).await.unwrap(), clock)
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.clock.load(Ordering::SeqCst)).unwrap()
    }

    pub fn set(&self, now: &str) {
        self.clock.store(at(now).as_millisecond(), Ordering::SeqCst);
    }

    pub fn pass(&self, time: Duration) {
        self.clock.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub fn pass_back(&self, time: Duration) {
        self.clock.fetch_sub(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub fn pass_secs(&self, secs: u64) {
        self.pass(Duration::from_secs(secs));
    }

    pub fn resets(&self) -> Resets {
        Resets::after(self.now(), ZONES)
    }

    fn fresh_name(&self) -> String {
        format!("n{}", self.names.fetch_add(1, Ordering::SeqCst))
    }

    pub async fn user(&self) -> User {
        self.store.add_user(&self.fresh_name()).await.unwrap()
    }

    /// An account on `qwen` with a limit a day in Shanghai.
    pub async fn account(&self, user: &User, limit: u64) -> AccountId {
        self.account_with(user, "qwen", vec![day(limit)]).await
    }

    /// The same with a priority.
    pub async fn account_at(&self, user: &User, limit: u64, priority: u8) -> AccountId {
        let new = self.new_account(user, "qwen", vec![day(limit)]).await;
        let id = new.id;
        let priority = Priority::try_from(priority).unwrap();
        self.store.add_account(NewAccount { priority, ..new }).await.unwrap();
        id
    }

    /// A user whose pool has a policy of its own.
    pub async fn user_with(&self, policy: Policy) -> User {
        let user = self.user().await;
        self.set_policy(&user, policy).await;
        user
    }

    pub async fn set_policy(&self, user: &User, policy: Policy) {
        self.store.set_pool_policy(user.pool, Some(policy)).await.unwrap();
    }

    pub async fn set_priority(&self, id: AccountId, priority: u8) {
        let priority = Priority::try_from(priority).unwrap();
        self.store.set_priority(id, priority).await.unwrap().unwrap();
    }

    pub async fn account_with(
        &self,
        user: &User,
        platform: &str,
        windows: Vec<WindowSpec>,
    ) -> AccountId {
        let new = self.new_account(user, platform, windows).await;
        let id = new.id;
        self.store.add_account(new).await.unwrap();
        id
    }

    pub async fn new_account(
        &self,
        user: &User,
        platform: &str,
        windows: Vec<WindowSpec>,
    ) -> NewAccount {
        NewAccount {
            id: self.store.reserve_account_id().await.unwrap(),
            pool: user.pool,
            owner: user.id,
            owner_proof: format!("k1.of-{}", user.id),
            platform: platform.into(),
            name: self.fresh_name(),
            dialect: None,
            windows,
            priority: Priority::default(),
            sealed: SealedCredential { wrapped_key: "wrapped".into(), body: "sealed".into() },
            generation: 1,
            expires_at: None,
        }
    }

    pub fn ask<'a>(&'a self, user: &'a User, estimate: u64) -> Ask<'a> {
        Ask::new(self, user, estimate)
    }

    pub async fn settle(&self, held: &Held, charge: Charge) {
        let batch = vec![Settlement { lease: held.key.clone().into(), charge }];
        self.store.settle(batch, &self.resets()).await.unwrap();
    }

    pub async fn record(&self, batch: Vec<Record>) -> Answer<()> {
        self.store.record(batch.into_iter().map(Arc::new).collect()).await
    }

    pub async fn sweep(&self) -> usize {
        self.store.sweep(&self.resets()).await.unwrap()
    }

    pub async fn shown(&self, user: &User, id: AccountId) -> AccountState {
        let states = self.store.accounts_in(&[user.pool], &self.resets()).await.unwrap();
        states.into_iter().find(|state| state.account.id == id).unwrap()
    }

    /// What is used of an account's first window.
    pub async fn used(&self, user: &User, id: AccountId) -> u64 {
        self.shown(user, id).await.windows[0].used.0
    }

    pub async fn cool(&self, id: AccountId, secs: i64, out_of_quota: bool) {
        let until = self.now() + jiff::SignedDuration::from_secs(secs);
        let reason = "429".into();
        let health = Health::Cooling { until, reason, out_of_quota, tries_at: None };
        self.store.set_health(id, health).await.unwrap().unwrap();
    }

    pub async fn block(&self, id: AccountId, model: &str, secs: u64) {
        let rest = Rest::after(Duration::from_secs(secs));
        self.store.block_model(id, model, rest).await.unwrap();
    }

    /// A call that is granted now fails.
    pub async fn harm(&self, id: AccountId, harm: Harm) -> bool {
        self.store.worsen(id, self.now(), harm).await.unwrap()
    }

    /// Every charge on a user's `qwen` accounts, read in small pages.
    pub async fn charges(&self, user: &User) -> Vec<ChargeRow> {
        let mut all: Vec<ChargeRow> = Vec::new();
        loop {
            let after = all.last().map(|row| row.cursor.clone());
            let platform = PlatformId::from("qwen");
            let page = self.store.charges(user.pool, &platform, after.as_deref(), 7).await.unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    pub async fn charges_of(&self, user: &User, id: LeaseId) -> Vec<(ChargeKind, i64)> {
        let rows = self.charges(user).await.into_iter().filter(|row| row.lease == id);
        rows.map(|row| (row.kind, row.tokens)).collect()
    }
}

fn open_sqlite(
    folder: &tempfile::TempDir,
    clock: &Arc<AtomicI64>,
    wish: Wish,
) -> sqlite::SqliteStore {
    let options =
        sqlite::Options { clock: reads(clock), keep: wish.keep, ..sqlite::Options::default() };
    sqlite::SqliteStore::open(&folder.path().join("test.db"), options).unwrap()
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A limit a day in Shanghai.
pub fn day(limit: u64) -> WindowSpec {
    day_in("Asia/Shanghai", limit)
}

/// A limit a day in a zone.
pub fn day_in(zone: &str, limit: u64) -> WindowSpec {
    let (period, limit) = (Period::Day { zone: zone.into() }, Some(Tokens(limit)));
    WindowSpec { period, limit, origin: Origin::Catalogue }
}

/// A limit over hours that begin with the first use.
pub fn hours(hours: i64, limit: u64) -> WindowSpec {
    WindowSpec {
        period: Period::FromFirstUse { seconds: hours * 3600 },
        limit: Some(Tokens(limit)),
        origin: Origin::Catalogue,
    }
}

pub fn key(id: LeaseId, user: &User, account: AccountId, granted_at: Timestamp) -> LeaseKey {
    LeaseKey {
        id,
        pool: user.pool,
        platform: "qwen".into(),
        account,
        user: user.id,
        token: TokenId(7),
        model: "qwen-plus".into(),
        estimate: Tokens(5),
        granted_at,
    }
}

pub fn clock_at(text: &str) -> Arc<AtomicI64> {
    Arc::new(AtomicI64::new(at(text).as_millisecond()))
}

pub fn reads(clock: &Arc<AtomicI64>) -> Clock {
    let clock = clock.clone();
    Arc::new(move || Timestamp::from_millisecond(clock.load(Ordering::SeqCst)).unwrap())
}
