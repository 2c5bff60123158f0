//! A Cluster's shards come back by themselves: one that is wholly down holds up no other.

use tributary::accounts::{AccountId, Charge, Settlement, Tokens, User};

use crate::rig::{Cluster, Process, Rig, Wish, cli, fresh_id, info, key, until, until_shared};

/// A user whose pool is in another shard than that.
async fn user_apart<'a>(
    rig: &Rig,
    cluster: &'a Cluster,
    from: &Process,
) -> (User, [&'a Process; 2]) {
    loop {
        let user = rig.user().await;
        let shard = cluster.shard_of(&format!("{{p:{}}}", user.pool));
        if shard[0].port != from.port {
            return (user, shard);
        }
    }
}

/// Settles so many leases that nobody knows any more.
async fn settle(rig: &Rig, user: &User, account: AccountId, many: usize) {
    let one = |_| Settlement {
        lease: key(fresh_id(), user, account, rig.now()).into(),
        charge: Charge::Exact(Tokens(1)),
    };
    rig.store.settle((0..many).map(one).collect(), &rig.resets()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_that_is_wholly_down_keeps_no_other_from_being_given_what_its_master_lacks() {
    let cluster = tokio::task::spawn_blocking(|| Cluster::start(1)).await.unwrap();
    for node in &cluster.nodes {
        cli(node.port, &["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    let rig = Rig::on_url(&cluster.url(), Wish::default()).await;
    let (ann, down) = user_apart(&rig, &cluster, cluster.shard_of("{us}")[0]).await;
    let (ben, [master, replica]) = user_apart(&rig, &cluster, down[0]).await;
    let (hers, his) = (rig.account(&ann, 1_000_000).await, rig.account(&ben, 1_000_000).await);
    rig.sweep().await;
    until_shared(master);
    // The replica hears nothing any more.
    cli(replica.port, &["CONFIG", "SET", "masterauth", "unknown"]);
    cli(replica.port, &["CLIENT", "KILL", "TYPE", "master"]);
    // More than is given at once, hers before his.
    settle(&rig, &ann, hers, 1500).await;
    settle(&rig, &ben, his, 1500).await;
    down.iter().for_each(|node| node.kill());
    master.kill();
    cli(replica.port, &["CONFIG", "SET", "masterauth", ""]);
    cli(replica.port, &["CLUSTER", "FAILOVER", "TAKEOVER"]);
    until("it took over", || {
        let state = cli(replica.port, &["CLUSTER", "INFO"]);
        info(replica.port, "role") == "master" && state.contains("cluster_state:ok")
    });
    let charges = |user: &User| format!("{{p:{}}}:qwen:out", user.pool);
    let has = |port: u16, user: &User| cli(port, &["XLEN", &charges(user)]);
    assert_eq!(has(replica.port, &ben).trim(), "0");
    let mut tries = 0;
    while has(replica.port, &ben).trim() != "1500" {
        tries += 1;
        assert!(tries < 60, "the other is down, and he is given nothing");
        assert!(rig.store.sweep(&rig.resets()).await.is_err());
    }
    // Hers comes back without what it took last, and is given it, too.
    down[0].restart();
    cli(down[0].port, &["DEL", &charges(&ann)]);
    for part in ["ld", "sum"] {
        cli(down[0].port, &["DEL", &format!("{{p:{}}}:qwen:{part}", ann.pool)]);
    }
    until("it serves", || cli(down[0].port, &["CLUSTER", "INFO"]).contains("cluster_state:ok"));
    let mut tries = 0;
    while let Err(error) = rig.store.sweep(&rig.resets()).await {
        tries += 1;
        assert!(tries < 60, "{error}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(has(down[0].port, &ann).trim(), "1500");
    assert_eq!(has(replica.port, &ben).trim(), "1500");
}
