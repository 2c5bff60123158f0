//! What can't be read is told of, and keeps a sweep from nothing else.

use jiff::Timestamp;
use tributary::accounts::{ChargeKind, Policy};

use super::Ground;
use super::accounts::{family, owner};
use crate::rig::Rig;

/// Puts so many into a set, all of them due.
async fn add(ground: &Ground, key: &str, names: impl Iterator<Item = String>) {
    let score =
        (ground.rig.now() - jiff::SignedDuration::from_secs(1)).as_millisecond().to_string();
    for name in names {
        ground.run::<()>(&["ZADD", key, &score, &name]).await;
    }
}

async fn sweep(rig: &Rig) -> Result<usize, tributary::store::StoreError> {
    rig.store.sweep(&rig.resets()).await
}

/// When an entry of a set is looked at.
async fn looked_at(ground: &Ground, key: &str, entry: &str) -> Option<Timestamp> {
    let score: Option<i64> = ground.run(&["ZSCORE", key, entry]).await;
    score.map(|ms| Timestamp::from_millisecond(ms).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_does_not_slow_down_what_is_behind_it() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let user = owner(rig, 100).await;
    let (leases, deadlines) = (family(&user, "ls"), family(&user, "ld"));
    ground.run::<()>(&["HSET", &leases, "bad", "?"]).await;
    add(&ground, &deadlines, ["lbad".to_owned()].into_iter()).await;
    rig.pass_secs(1);
    add(&ground, &deadlines, (0..300).map(|number| format!("t{number}"))).await;
    assert!(sweep(rig).await.is_err());
    assert_eq!(ground.run::<usize>(&["ZCARD", &deadlines]).await, 1);
    // It is told of again after an hour.
    sweep(rig).await.unwrap();
    rig.pass_secs(3600);
    assert!(sweep(rig).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_leases_keep_no_other_from_being_charged() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let user = owner(rig, 100).await;
    let held = rig.ask(&user, 10).held().await;
    let (leases, deadlines) = (family(&user, "ls"), family(&user, "ld"));
    for number in 0..200 {
        ground.run::<()>(&["HSET", &leases, &format!("bad{number}"), "?"]).await;
    }
    add(&ground, &deadlines, (0..200).map(|number| format!("lbad{number}"))).await;
    rig.pass_secs(121);
    assert!(sweep(rig).await.is_err());
    assert_eq!(rig.charges_of(&user, held.key.id).await, [(ChargeKind::Estimated, 10)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_keeps_no_other_from_waking() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let user = rig.user().await;
    let (bad, good) = (rig.account(&user, 10).await, rig.account(&user, 10).await);
    rig.cool(bad, 50, false).await;
    rig.cool(good, 60, false).await;
    rig.block(good, "qwen-max", 60).await;
    ground.run::<()>(&["HSET", &family(&user, "a"), &bad.to_string(), "?"]).await;
    rig.pass_secs(61);
    assert!(sweep(rig).await.is_err());
    assert!(!ground.run::<bool>(&["EXISTS", &family(&user, "bt")]).await, "the block is over");
    assert_eq!(rig.ask(&user, 1).model("qwen-max").lands_on().await, good);
    let timers = family(&user, "t");
    let again = looked_at(&ground, &timers, &bad.to_string()).await.unwrap();
    assert_eq!(again - rig.now(), jiff::SignedDuration::from_secs(3600));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_due_keeps_nobody_from_being_served() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let user = rig.user().await;
    let (bad, good) = (rig.account(&user, 10).await, rig.account(&user, 10).await);
    rig.cool(bad, 50, false).await;
    ground.run::<()>(&["HSET", &family(&user, "a"), &bad.to_string(), "?"]).await;
    rig.pass_secs(61);
    assert_eq!(rig.ask(&user, 1).lands_on().await, good);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_keeps_no_other_from_ending() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let user = rig.user().await;
    let account = rig.account(&user, 10).await;
    let ends = family(&user, "bt");
    rig.block(account, "qwen-max", 60).await;
    add(&ground, &ends, ["of nothing".to_owned()].into_iter()).await;
    rig.pass_secs(61);
    sweep(rig).await.unwrap();
    assert!(!ground.run::<bool>(&["EXISTS", &ends]).await, "each is over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_in_a_models_order_keeps_no_other_block_from_ending() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let user = rig.user().await;
    for _ in 0..32 {
        let account = rig.account(&user, 10).await;
        rig.block(account, "qwen-max", 50).await;
    }
    let account = rig.account(&user, 10).await;
    rig.block(account, "qwen-plus", 60).await;
    let order = family(&user, "m0");
    ground.run::<()>(&["SET", &order, "of somebody else"]).await;
    rig.pass_secs(61);
    assert!(sweep(rig).await.is_err());
    let blocks = family(&user, "b");
    assert_eq!(ground.run::<Option<String>>(&["HGET", &blocks, "qwen-plus"]).await, None);
    ground.run::<()>(&["DEL", &order]).await;
    sweep(rig).await.unwrap();
    assert!(!ground.run::<bool>(&["EXISTS", &blocks]).await, "each is over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_keeps_no_other_from_its_place_in_a_policys_order() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let user = rig.user().await;
    let bad = rig.account(&user, 5).await;
    let (first, _) = (rig.account_at(&user, 10, 1).await, rig.account_at(&user, 100, 90).await);
    ground.run::<()>(&["HSET", &family(&user, "a"), &bad.to_string(), "?"]).await;
    rig.set_policy(&user, Policy::Priority).await;
    assert_eq!(rig.ask(&user, 1).lands_on().await, first);
}
