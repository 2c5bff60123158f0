//! Redis fails under the load of gateways: afterwards their books are the platform's.
//!
//! `TRIBUTARY_FAULTS=long` makes each fault longer, and repeats it. What a replica that lags
//! may lose is measured in `tests/store/redis_faults.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::figures::fault;
use crate::rig::{
    Cluster, Crowd, Fleet, Process, Watched, cli, free_ports, info, until, until_shared,
};

const CALLERS_EACH: usize = 16;
const GATEWAYS: usize = 2;

/// Runs gateways under load while something goes wrong; answers how many were refused.
async fn balance_through(what: &str, url: &str, wrong: impl AsyncFnMut()) -> usize {
    balance_without(what, url, wrong, async || ()).await
}

/// As [`balance_through`], where what went wrong is mended while the load goes on without it.
async fn balance_without(
    what: &str,
    url: &str,
    mut wrong: impl AsyncFnMut(),
    mut mend: impl AsyncFnMut(),
) -> usize {
    let fleet = Fleet::on(url, "1m").await;
    let gateways: Vec<_> = (0..GATEWAYS).map(|_| fleet.serve()).collect();
    let urls = gateways.iter().map(|(_, base_url)| base_url.as_str());
    let crowd = Crowd::at(urls, &fleet.token, CALLERS_EACH);
    crowd.goes_on(100).await;
    let times = fault().0;
    for _ in 0..times {
        wrong().await;
        crowd.goes_on(200).await;
        mend().await;
    }
    crowd.goes_on(100).await;
    let refused = crowd.end().await;
    for (gateway, _) in gateways {
        assert_eq!(gateway.terminate().code, 0);
    }
    let audit = fleet.audit().await;
    audit.tell(what, times);
    assert_eq!(audit.marked.len(), 0, "every figure is the platform's");
    refused
}

/// A server alone, that keeps what it acknowledged.
fn alone() -> (Process, String) {
    let [port] = free_ports();
    let port_text = port.to_string();
    let own = ["--port", &port_text, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"];
    (Process::start(port, &own), format!("redis://127.0.0.1:{port}/0"))
}

/// Does what waits on a thread of its own.
async fn apart<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(what).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn books_balance_through_a_restart() {
    let (server, url) = alone();
    balance_through("Redis is restarted", &url, async || server.restart()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn books_balance_through_a_freeze() {
    let (server, url) = alone();
    let lasts = fault().1.max(Duration::from_secs(4));
    let refused = balance_through("Redis stands still", &url, async || {
        server.freeze();
        tokio::time::sleep(lasts).await;
        server.thaw();
    })
    .await;
    assert!(refused > 0, "callers were told while it stood still");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn books_balance_through_a_full_memory() {
    let (server, url) = alone();
    let lasts = fault().1;
    let refused = balance_through("Redis is full", &url, async || {
        cli(server.port, &["CONFIG", "SET", "maxmemory", "1"]);
        tokio::time::sleep(lasts).await;
        cli(server.port, &["CONFIG", "SET", "maxmemory", "0"]);
    })
    .await;
    assert!(refused > 0, "callers were told while it was full");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn books_balance_through_cut_connections() {
    let (server, url) = alone();
    let lasts = fault().1;
    balance_through("connections are cut", &url, async || {
        for _ in 0..20 {
            cli(server.port, &["CLIENT", "KILL", "TYPE", "normal"]);
            tokio::time::sleep(lasts / 20).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn books_balance_through_a_fail_over_by_sentinels() {
    let set = Arc::new(apart(Watched::start).await);
    let url = set.fresh_url();
    let dead = AtomicU16::new(0);
    let dies = async || {
        let set = set.clone();
        let port = apart(move || {
            let dies = set.master();
            let other = set.servers.iter().find(|one| one.port != dies.port).unwrap();
            until_shared(dies);
            dies.kill();
            until("another took over", || info(other.port, "role") == "master");
            set.agree_on(other.port);
            dies.port
        });
        dead.store(port.await, Ordering::Relaxed);
    };
    let comes_back = async || {
        let (set, port) = (set.clone(), dead.load(Ordering::Relaxed));
        apart(move || come_back(set.servers.iter().find(|one| one.port == port).unwrap())).await;
    };
    balance_without("a master dies, Sentinels", &url, dies, comes_back).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn books_balance_through_a_fail_over_in_a_cluster() {
    let cluster = Arc::new(apart(|| Cluster::start(1)).await);
    let url = cluster.url();
    let dead = AtomicU16::new(0);
    let dies = async || {
        let cluster = cluster.clone();
        let port = apart(move || {
            // The shard of the one pool.
            let [dies, other] = cluster.shard_of("{p:1}");
            until_shared(dies);
            dies.kill();
            until("another took over", || info(other.port, "role") == "master");
            dies.port
        });
        dead.store(port.await, Ordering::Relaxed);
    };
    let comes_back = async || {
        let (cluster, port) = (cluster.clone(), dead.load(Ordering::Relaxed));
        apart(move || come_back(cluster.nodes.iter().find(|one| one.port == port).unwrap())).await;
    };
    balance_without("a master dies, Cluster", &url, dies, comes_back).await;
}

fn come_back(server: &Process) {
    server.restart();
    until("it follows", || info(server.port, "master_link_status") == "up");
}
