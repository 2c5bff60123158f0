//! Redis masters come and go unseen: one woke after another took its place and acknowledges what
//! it will lose, one could not be given what it lacked before the next took over. What was
//! settled is with the last.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tributary::accounts::{AccountId, Charge, Settlement, Tokens, User};

use crate::records::record;
use crate::rig::{
    Cluster, Process, Rig, Watched, Wish, cli, free_ports, fresh_id, info, key, until, until_shared,
};

/// A port that leads to one server, then to another.
struct Door {
    port: u16,
    to: Arc<AtomicU16>,
    turns: watch::Sender<()>,
    _porter: JoinSet<()>,
}

impl Door {
    async fn open(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (to, (turns, turned)) = (Arc::new(AtomicU16::new(to)), watch::channel(()));
        let porter = serve(listener, to.clone(), turned);
        Self { port, to, turns, _porter: JoinSet::from_iter([porter]) }
    }

    /// Leads to another server; connections that lead elsewhere break.
    fn turn(&self, to: &Process) {
        self.to.store(to.port, Ordering::SeqCst);
        self.turns.send_replace(());
    }
}

async fn serve(listener: TcpListener, to: Arc<AtomicU16>, turned: watch::Receiver<()>) {
    let mut ways = JoinSet::new();
    while let Ok((mut near, _)) = listener.accept().await {
        let (port, mut turned) = (to.load(Ordering::SeqCst), turned.clone());
        turned.mark_unchanged();
        ways.spawn(async move {
            let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                _ = turned.changed() => {}
            }
        });
    }
}

/// Two servers, the second the replica of the first, and a store that comes in by a door.
struct Pair {
    first: Process,
    second: Process,
    door: Door,
    rig: Rig,
    user: User,
    account: AccountId,
}

impl Pair {
    /// The second has the account and is a master, too.
    async fn parted() -> Self {
        let (first, second) = tokio::task::spawn_blocking(|| {
            let [first, second] = free_ports();
            let server = |port: u16| {
                let port_text = port.to_string();
                let own = ["--port", &port_text, "--bind", "127.0.0.1", "--save", ""];
                Process::start(port, &[&own[..], &["--repl-diskless-sync-delay", "0"]].concat())
            };
            (server(first), server(second))
        })
        .await
        .unwrap();
        follow(&second, &first);
        let door = Door::open(first.port).await;
        let rig = Rig::on_url(&format!("redis://127.0.0.1:{}/0", door.port), Wish::default()).await;
        let user = rig.user().await;
        let account = rig.account(&user, 100_000).await;
        rig.sweep().await;
        until_shared(&first);
        promote(&second);
        Self { first, second, door, rig, user, account }
    }

    /// A call that takes so many tokens.
    async fn take(&self, tokens: u64) {
        let held = self.rig.ask(&self.user, 10).held().await;
        self.rig.settle(&held, Charge::Exact(Tokens(tokens))).await;
    }

    /// What is used, and what is leased.
    async fn counts(&self) -> (u64, u64) {
        let shown = self.rig.shown(&self.user, self.account).await;
        (shown.windows[0].used.0, shown.leased.0)
    }
}

fn follow(replica: &Process, master: &Process) {
    cli(replica.port, &["REPLICAOF", "127.0.0.1", &master.port.to_string()]);
    until("it follows", || info(replica.port, "master_link_status") == "up");
}

fn promote(replica: &Process) {
    cli(replica.port, &["REPLICAOF", "NO", "ONE"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_old_master_took_between_two_looks_is_given_to_the_new_one() {
    let pair = Pair::parted().await;
    pair.door.turn(&pair.second);
    pair.rig.sweep().await;
    pair.door.turn(&pair.first);
    pair.take(9).await;
    pair.door.turn(&pair.second);
    pair.rig.sweep().await;
    assert_eq!(pair.counts().await, (9, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_master_could_not_be_given_is_given_to_the_next_though_it_is_known() {
    let pair = Pair::parted().await;
    pair.take(9).await;
    // It takes over, and lacks the replica that it must have.
    pair.door.turn(&pair.second);
    cli(pair.second.port, &["CONFIG", "SET", "min-replicas-to-write", "1"]);
    assert!(pair.rig.store.sweep(&pair.rig.resets()).await.is_err());
    cli(pair.second.port, &["CONFIG", "SET", "min-replicas-to-write", "0"]);
    // The first follows it, and takes over again.
    follow(&pair.first, &pair.second);
    promote(&pair.first);
    pair.door.turn(&pair.first);
    pair.rig.sweep().await;
    assert_eq!(pair.counts().await, (9, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_master_took_before_it_stood_still_is_not_given_to_it_again() {
    const ALL: usize = 30_000;
    let pair = Pair::parted().await;
    let one = |_| Settlement {
        lease: key(fresh_id(), &pair.user, pair.account, pair.rig.now()).into(),
        charge: Charge::Exact(Tokens(1)),
    };
    for _ in 0..10 {
        let batch = (0..ALL / 10).map(one).collect();
        pair.rig.store.settle(batch, &pair.rig.resets()).await.unwrap();
    }
    pair.door.turn(&pair.second);
    let charges = format!("{{p:{}}}:qwen:out", pair.user.pool);
    let has = || cli(pair.second.port, &["XLEN", &charges]).trim().parse::<usize>().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // A look takes some milliseconds.
            while has() < 3000 {}
            pair.second.freeze();
        });
        let resets = pair.rig.resets();
        let swept = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(pair.rig.store.sweep(&resets))
        });
        assert!(swept.is_err(), "it stands still");
    });
    pair.second.thaw();
    let had = has();
    assert!((3000..ALL).contains(&had), "{had}");
    cli(pair.second.port, &["CONFIG", "RESETSTAT"]);
    pair.rig.sweep().await;
    let told = cli(pair.second.port, &["INFO", "commandstats"]);
    let calls = told.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    let calls: usize = calls.unwrap().split(',').next().unwrap().parse().unwrap();
    // Of 64 each; it may not have said of the last thousand or two that it has them.
    assert!(calls <= (ALL - had + 2048) / 64 + 8, "{calls} calls, it had {had}");
    assert_eq!(has(), ALL);
    assert_eq!(pair.counts().await, (u64::try_from(ALL).unwrap(), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_never_be_given_again_is_tried_once_and_holds_up_nothing_else() {
    let pair = Pair::parted().await;
    pair.take(9).await;
    pair.rig.record(vec![record(&pair.rig, &pair.user, "one")]).await.unwrap();
    // It takes over, and what would be the pool's charges is something else.
    let charges = format!("{{p:{}}}:qwen:out", pair.user.pool);
    cli(pair.second.port, &["SET", &charges, "of somebody else"]);
    pair.door.turn(&pair.second);
    for _ in 0..3 {
        assert!(pair.rig.store.sweep(&pair.rig.resets()).await.is_err());
    }
    let records = pair.rig.store.records_of(pair.user.id, None, 10).await.unwrap();
    assert_eq!(records.len(), 1);
    cli(pair.second.port, &["DEL", &charges]);
    pair.rig.sweep().await;
    // Nothing of it was counted: it was refused whole.
    assert_eq!(pair.counts().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_was_replaced_and_promoted_again_unseen_is_given_what_it_took_before() {
    let pair = Pair::parted().await;
    pair.take(9).await;
    follow(&pair.first, &pair.second);
    promote(&pair.first);
    pair.rig.sweep().await;
    assert_eq!(pair.counts().await, (9, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_leaves_the_master_that_another_link_has_seen_replaced() {
    let pair = Pair::parted().await;
    // As a thread of a gateway has one.
    let other = pair.rig.store.clone().in_this_runtime();
    other.ping().await.unwrap();
    // New connections lead to the second; the one that the other link has stays.
    pair.door.to.store(pair.second.port, Ordering::SeqCst);
    let id = cli(pair.first.port, &["CLIENT", "LIST", "TYPE", "normal"]);
    let id = id.lines().find_map(|line| line.strip_prefix("id=")?.split(' ').next()).unwrap();
    cli(pair.first.port, &["CLIENT", "KILL", "ID", id]);
    pair.rig.sweep().await;
    let charges = format!("{{p:{}}}:qwen:out", pair.user.pool);
    let held = pair.rig.ask(&pair.user, 10).held().await;
    let batch =
        vec![Settlement { lease: held.key.clone().into(), charge: Charge::Exact(Tokens(9)) }];
    other.settle(batch, &pair.rig.resets()).await.unwrap();
    assert_eq!(cli(pair.second.port, &["XLEN", &charges]).trim(), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_woke_is_left_once_sentinels_name_another() {
    let set = Arc::new(tokio::task::spawn_blocking(Watched::start).await.unwrap());
    let rig = Rig::on_url(&set.fresh_url(), Wish::default()).await;
    let user = rig.user().await;
    rig.account(&user, 1000).await;
    rig.sweep().await;
    let frozen_port = set.master().port;
    let [first, second] = &set.servers;
    let (frozen, other) = if first.port == frozen_port { (first, second) } else { (second, first) };
    until_shared(frozen);
    frozen.freeze();
    until("another took over", || info(other.port, "role") == "master");
    frozen.thaw();
    set.agree_on(other.port);
    // Sentinels let it be a master for eight seconds yet.
    rig.sweep().await;
    let held = rig.ask(&user, 10).held().await;
    rig.settle(&held, Charge::Exact(Tokens(9))).await;
    let charges = format!("{{p:{}}}:qwen:out", user.pool);
    assert_eq!(cli(other.port, &["XLEN", &charges]).trim(), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_link_to_a_cluster_connects_anew_when_a_master_was_replaced() {
    let cluster = tokio::task::spawn_blocking(|| Cluster::start(1)).await.unwrap();
    let rig = Rig::on_url(&cluster.url(), Wish::default()).await;
    let other = rig.store.clone().in_this_runtime();
    other.ping().await.unwrap();
    rig.sweep().await;
    let [master, replica] = cluster.shard_of("{p:1}");
    let stays = cluster.nodes.iter().find(|node| {
        ![master.port, replica.port].contains(&node.port) && info(node.port, "role") == "master"
    });
    let stays = stays.unwrap().port;
    let links = || {
        let all = cli(stays, &["CLIENT", "LIST", "TYPE", "normal"]);
        let ours = all.lines().filter(|line| !line.contains("cmd=client"));
        ours.filter_map(|line| line.split(' ').next().map(str::to_owned)).collect::<BTreeSet<_>>()
    };
    let before = links();
    assert!(before.len() >= 2, "{before:?}");
    cli(replica.port, &["CLUSTER", "FAILOVER"]);
    until("another took over", || info(master.port, "master_link_status") == "up");
    rig.sweep().await;
    other.ping().await.unwrap();
    until("all connections are new", || links().is_disjoint(&before) && !links().is_empty());
}
