//! Redis fails under load: a replica takes over, a server restarts, stands still, is full,
//! cuts its connections. Afterwards the books are what was settled, to the token.
//!
//! `TRIBUTARY_FAULTS=long` makes each fault longer, and repeats it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tributary::accounts::{
    AccountId, Charge, ChargeKind, LeaseAsk, LeaseId, Settlement, TokenId, Tokens, User,
};
use tributary::store::StoreError;
use tributary::store::redis::{Options, RedisStore};

use crate::figures::{self, fault};
use crate::records::record;
use crate::rig::{
    Cluster, Process, Rig, Watched, Wish, cli, cli_all, fresh_id, hours, info, key, until,
    until_shared,
};

const TASKS: usize = 8;
const POOLS: usize = 4;
const ESTIMATE: u64 = 50;

/// Tasks that lease and settle.
struct Load {
    rig: Arc<Rig>,
    /// The servers' ports, for who has to find out why something is lost.
    servers: Vec<u16>,
    users: Vec<User>,
    ends: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
    /// Settlements that were acknowledged and that a replica lacked when it took over.
    lacked: usize,
    tasks: JoinSet<BTreeMap<LeaseId, (AccountId, u64)>>,
    sweeps: JoinSet<()>,
}

impl Load {
    async fn begin<'a>(url: &str, servers: impl IntoIterator<Item = &'a Process>) -> Self {
        let rig = Rig::live(Arc::new(RedisStore::open(url, Options::default()).await.unwrap()));
        let rig = Arc::new(rig);
        let mut users = Vec::new();
        for _ in 0..POOLS {
            let user = rig.user().await;
            for _ in 0..2 {
                // A day's window would end at a midnight, and its counts with it.
                rig.account_with(&user, "qwen", vec![hours(1000, 1_000_000_000)]).await;
            }
            users.push(user);
        }
        let mut load = Self {
            servers: servers.into_iter().map(|one| one.port).collect(),
            users,
            ends: Arc::default(),
            done: Arc::default(),
            failed: Arc::default(),
            lacked: 0,
            tasks: JoinSet::new(),
            sweeps: JoinSet::from_iter([sweep(rig.clone())]),
            rig,
        };
        for task in 0..TASKS {
            let user = load.users[task % POOLS].clone();
            let (ends, done) = (load.ends.clone(), load.done.clone());
            let failed = load.failed.clone();
            load.tasks.spawn(live(load.rig.clone(), user, ends, done, failed));
        }
        load.goes_on(200).await;
        load
    }

    /// Waits until so many more leases are settled.
    async fn goes_on(&self, more: usize) {
        let enough = self.done.load(Ordering::Relaxed) + more;
        let wait = async {
            while self.done.load(Ordering::Relaxed) < enough {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it goes on");
    }

    /// Ends the load; answers how many calls failed.
    async fn balances(self, what: &str) -> usize {
        self.goes_on(500).await;
        self.ends.store(true, Ordering::Relaxed);
        let mut settled: BTreeMap<LeaseId, (AccountId, u64)> = BTreeMap::new();
        for one in self.tasks.join_all().await {
            settled.extend(one);
        }
        drop(self.sweeps);
        until_swept(&self.rig).await;
        let mut sums: BTreeMap<AccountId, u64> = BTreeMap::new();
        for (account, tokens) in settled.values() {
            *sums.entry(*account).or_default() += tokens;
        }
        let mut wrong = String::new();
        for user in &self.users {
            let mut rows: BTreeMap<LeaseId, u64> = BTreeMap::new();
            for row in self.rig.charges(user).await {
                if row.kind != ChargeKind::Released {
                    let twice = rows.insert(row.lease, row.tokens.unsigned_abs());
                    assert_eq!(twice, None, "{} was charged twice", row.lease);
                    assert_eq!(
                        settled.get(&row.lease).map(|it| it.1),
                        rows.get(&row.lease).copied()
                    );
                }
            }
            let resets = self.rig.resets();
            for state in self.rig.store.accounts_in(&[user.pool], &resets).await.unwrap() {
                let id = state.account.id;
                let expected = sums.remove(&id).unwrap_or_default();
                let found = (state.windows[0].used, state.leased);
                let own = settled.iter().filter(|it| it.1.0 == id);
                let without_row = own.filter(|it| !rows.contains_key(it.0)).count();
                if found != (Tokens(expected), Tokens::ZERO) || without_row > 0 {
                    wrong += &format!(
                        "{id:?}: {expected} settled, used and leased {found:?}, \
                         {without_row} settled without a row\n"
                    );
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong}{}", say(&self.servers));
        assert!(sums.is_empty());
        let failed = self.failed.load(Ordering::Relaxed);
        figures::tell(
            what,
            &[
                ("times", &fault().0),
                ("acknowledged", &self.done.load(Ordering::Relaxed)),
                ("failed calls", &failed),
                ("lacked by the replica", &self.lacked),
                ("lost", &0),
            ],
        );
        failed
    }
}

async fn sweep(rig: Arc<Rig>) {
    loop {
        // One that fails is done by the next.
        _ = rig.store.sweep(&rig.resets()).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Leases and settles until it is told to end; answers what it settled.
async fn live(
    rig: Arc<Rig>,
    user: User,
    ends: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
) -> BTreeMap<LeaseId, (AccountId, u64)> {
    let mut settled = BTreeMap::new();
    let qwen = "qwen".into();
    for turn in 0_u64.. {
        if ends.load(Ordering::Relaxed) {
            break;
        }
        let (id, resets) = (fresh_id(), rig.resets());
        let ask = LeaseAsk {
            id,
            user: user.id,
            token: TokenId(7),
            pool: user.pool,
            platform: &qwen,
            model: &"qwen-plus".into(),
            estimate: Tokens(ESTIMATE),
            only: None,
            except: &[],
            conversation: None,
            resets: &resets,
        };
        let (lease, charge) = match rig.store.lease(ask).await {
            Ok(grant) => {
                let grant = grant.unwrap();
                let tokens = 1 + turn % 97;
                settled.insert(id, (grant.account, tokens));
                let lease = key(id, &user, grant.account, grant.granted_at);
                (lease, Charge::Exact(Tokens(tokens)))
            }
            Err(StoreError::Unavailable(_)) => {
                failed.fetch_add(1, Ordering::Relaxed);
                // Nobody knows whether it was granted.
                (key(id, &user, AccountId(0), rig.now()), Charge::Release)
            }
            Err(error) => panic!("{error}"),
        };
        // As a gateway's books do.
        failed.fetch_add(
            insist(&rig, Settlement { lease: lease.into(), charge }).await,
            Ordering::Relaxed,
        );
        done.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    settled
}

/// Settles, however often it takes; answers how often it failed.
async fn insist(rig: &Rig, settlement: Settlement) -> usize {
    let mut failed = 0;
    while let Err(error) = rig.store.settle(vec![settlement.clone()], &rig.resets()).await {
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        failed += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    failed
}

async fn apart<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(what).await.unwrap()
}

/// A server alone, that keeps what it acknowledged.
pub fn alone() -> (Process, String) {
    let [port] = crate::rig::free_ports();
    let port_text = port.to_string();
    let own = ["--port", &port_text, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"];
    (Process::start(port, &own), format!("redis://127.0.0.1:{port}/0"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_loses_no_count() {
    let (server, url) = alone();
    let load = Load::begin(&url, [&server]).await;
    for _ in 0..fault().0 {
        server.restart();
        load.goes_on(200).await;
    }
    load.balances("leases alone, restart").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_loses_no_count() {
    let (server, url) = alone();
    let load = Load::begin(&url, [&server]).await;
    let (times, lasts) = fault();
    for _ in 0..times {
        server.freeze();
        tokio::time::sleep(lasts.max(Duration::from_secs(4))).await;
        server.thaw();
        load.goes_on(200).await;
    }
    assert!(
        load.balances("leases alone, stands still").await > 0,
        "calls failed while it stood still"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_memory_loses_no_count() {
    let (server, url) = alone();
    let load = Load::begin(&url, [&server]).await;
    let (times, lasts) = fault();
    for _ in 0..times {
        cli(server.port, &["CONFIG", "SET", "maxmemory", "1"]);
        tokio::time::sleep(lasts).await;
        cli(server.port, &["CONFIG", "SET", "maxmemory", "0"]);
        load.goes_on(200).await;
    }
    assert!(
        load.balances("leases alone, memory is full").await > 0,
        "calls failed while it was full"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_lose_no_count() {
    let (server, url) = alone();
    let load = Load::begin(&url, [&server]).await;
    let (times, lasts) = fault();
    for _ in 0..20 * times {
        cli(server.port, &["CLIENT", "KILL", "TYPE", "normal"]);
        tokio::time::sleep(lasts / 20).await;
    }
    load.balances("leases alone, connections are cut").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_lacked_when_sentinels_promoted_it_is_given_again() {
    let set = Arc::new(apart(Watched::start).await);
    let mut load = Load::begin(&set.fresh_url(), &set.servers).await;
    for _ in 0..fault().0 {
        let [first, second] = &set.servers;
        let is_master = info(first.port, "role") == "master";
        let (master, replica) = if is_master { (first, second) } else { (second, first) };
        lose(&mut load, master, replica).await;
        load.goes_on(500).await;
        assert_eq!(info(replica.port, "role"), "master");
        let (set, port, taken_by) = (set.clone(), master.port, replica.port);
        apart(move || {
            set.agree_on(taken_by);
            set.servers.iter().find(|one| one.port == port).unwrap().restart();
            until("it follows", || info(port, "master_link_status") == "up");
        })
        .await;
    }
    load.balances("leases alone, Sentinels promote a replica that lags").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replica_lacked_when_a_cluster_promoted_it_is_given_again() {
    let cluster = Arc::new(apart(|| Cluster::start(1)).await);
    let mut load = Load::begin(&cluster.url(), &cluster.nodes).await;
    for _ in 0..fault().0 {
        // The shard of a pool that is in use.
        let [master, replica] = cluster.shard_of("{p:1}");
        lose(&mut load, master, replica).await;
        load.goes_on(500).await;
        let port = replica.port;
        apart(move || until("it took over", || info(port, "role") == "master")).await;
        let (cluster, port) = (cluster.clone(), master.port);
        apart(move || {
            cluster.nodes.iter().find(|one| one.port == port).unwrap().restart();
            until("it follows", || info(port, "master_link_status") == "up");
        })
        .await;
    }
    load.balances("leases alone, a Cluster promotes a replica that lags").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_stands_still_and_wakes_after_another_took_over_loses_no_count() {
    let set = Arc::new(apart(Watched::start).await);
    let load = Load::begin(&set.fresh_url(), &set.servers).await;
    for _ in 0..fault().0 {
        let (frozen, set) = (set.master().port, set.clone());
        apart(move || {
            let frozen = set.servers.iter().find(|one| one.port == frozen).unwrap();
            let other = set.servers.iter().find(|one| one.port != frozen.port).unwrap();
            until_shared(frozen);
            frozen.freeze();
            until("another took over", || info(other.port, "role") == "master");
            frozen.thaw();
            until("it follows", || info(frozen.port, "master_link_status") == "up");
        })
        .await;
        load.goes_on(500).await;
    }
    // Whether calls failed meanwhile hangs on how soon the other took over.
    load.balances("leases alone, Sentinels replace a master that wakes again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clusters_master_that_stands_still_loses_no_count() {
    let cluster = Arc::new(apart(|| Cluster::start(1)).await);
    let load = Load::begin(&cluster.url(), &cluster.nodes).await;
    for _ in 0..fault().0 {
        let cluster = cluster.clone();
        apart(move || {
            let [master, replica] = cluster.shard_of("{p:1}");
            until_shared(master);
            master.freeze();
            until("another took over", || info(replica.port, "role") == "master");
            master.thaw();
            until("it follows", || info(master.port, "master_link_status") == "up");
        })
        .await;
        load.goes_on(500).await;
    }
    // Whether calls failed meanwhile hangs on how soon the other took over.
    load.balances("leases alone, a Cluster replaces a master that wakes again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_went_with_its_account_is_not_given_again() {
    let (server, url) = alone();
    let rig = Rig::live(Arc::new(RedisStore::open(&url, Options::default()).await.unwrap()));
    let (ann, ben) = (rig.user().await, rig.user().await);
    let account = rig.account(&ann, 1000).await;
    rig.sweep().await;
    let (mut gone, mut lost) = (record(&rig, &ann, "gone"), record(&rig, &ben, "lost"));
    gone.attempts[0].account = account;
    lost.attempts[0].account = AccountId::OPERATOR;
    rig.record(vec![gone.clone(), lost.clone()]).await.unwrap();
    assert!(rig.store.remove_account(account).await.unwrap());
    // What a replica that had not heard of it would lack.
    for part in ["ri", "rb", "ra", "rs"] {
        cli(server.port, &["DEL", &format!("{{u:{}}}:{part}", ben.id)]);
    }
    server.restart();
    until_swept(&rig).await;
    // Bodies are not remembered to be given again.
    lost.bodies = None;
    assert_eq!(rig.store.records_of(ben.id, None, 10).await.unwrap(), [lost]);
    assert_eq!(rig.store.records_of(ann.id, None, 10).await.unwrap(), []);
    let totals = rig.store.totals_of(ann.id, gone.day(), gone.day()).await.unwrap();
    let counted: Vec<_> = totals.iter().map(|it| (it.key.account, it.counts.calls)).collect();
    assert_eq!(counted, [(None, 1)]);
}

/// A server that was restarted may yet be reading its file, or be busy.
async fn until_swept(rig: &Rig) {
    let mut tries = 0;
    while let Err(error) = rig.store.sweep(&rig.resets()).await {
        tries += 1;
        assert!(tries < 1200, "after a minute yet: {error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_family_that_cannot_be_renewed_keeps_no_other_from_it() {
    let cluster = Arc::new(apart(|| Cluster::start(1)).await);
    let rig = Rig::on_url(&cluster.url(), Wish::default()).await;
    let ann = rig.user().await;
    let first = cluster.shard_of(&format!("{{p:{}}}", ann.pool))[0];
    let (ben, slow) = loop {
        let user = rig.user().await;
        let master = cluster.shard_of(&format!("{{p:{}}}", user.pool))[0];
        if master.port != first.port {
            break (user, master);
        }
    };
    let mut leases = Vec::new();
    for user in [&ann, &ben] {
        rig.account(user, 1000).await;
        leases.push(rig.ask(user, 10).held().await.key);
    }
    let deadlines = format!("{{p:{}}}:qwen:ld", ann.pool);
    cli(first.port, &["SET", &deadlines, "x"]);
    rig.pass_secs(100);
    slow.freeze();
    let thaw = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        slow.thaw();
    };
    let (renewed, ()) = tokio::join!(rig.store.renew(&leases), thaw);
    assert!(matches!(renewed, Err(StoreError::Corrupt { .. })), "{renewed:?}");
    rig.pass_secs(100);
    assert!(rig.store.sweep(&rig.resets()).await.is_err());
    assert_eq!(rig.charges(&ben).await, []);
}

/// A replica hears nothing for a while, and then its master dies.
async fn lose(load: &mut Load, master: &Process, replica: &Process) {
    // Not before it has the accounts: what it lacks shall be what it is kept from.
    until_shared(master);
    // A password that the master does not know: it turns the replica away.
    cli(replica.port, &["CONFIG", "SET", "masterauth", "unknown"]);
    cli(replica.port, &["CLIENT", "KILL", "TYPE", "master"]);
    load.goes_on(300).await;
    assert_eq!(info(master.port, "role"), "master", "no other took over by itself");
    let had = charges_at(master.port);
    master.kill();
    let lacked = had - charges_at(replica.port);
    assert!(lacked > 0, "it heard nothing");
    load.lacked += lacked;
    cli(replica.port, &["CONFIG", "SET", "masterauth", ""]);
}

/// Whether counts are lost, or were read where they are not: what each server says it is,
/// and how many charges it has.
fn say(servers: &[u16]) -> String {
    const SAID: [&str; 7] = [
        "role:",
        "run_id:",
        "master_replid:",
        "master_link_status:",
        "slave0:",
        "master_repl_offset:",
        "second_repl_offset:",
    ];
    let one = |&port: &u16| {
        let told = cli(port, &["INFO"]);
        let said = told.lines().filter(|line| SAID.iter().any(|name| line.starts_with(name)));
        let said: Vec<_> = said.collect();
        format!("{port}: {} charges, {}\n", charges_at(port), said.join(" "))
    };
    servers.iter().map(one).collect()
}

/// How many charges a server has, though it be a replica.
fn charges_at(port: u16) -> usize {
    let mut ask = String::from("READONLY\n");
    for pool in 1..=POOLS {
        ask += &format!("XLEN {{p:{pool}}}:qwen:out\n");
    }
    let told = cli_all(port, &ask);
    told.lines().filter_map(|line| line.trim().parse::<usize>().ok()).sum()
}
