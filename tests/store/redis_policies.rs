//! What policies are on Redis alone: facts that several gateways share.

use tributary::accounts::{Conversation, Policy, User};
use tributary::store::redis::{Options, RedisStore};

use crate::rig::{NOON, Rig, Server, cli, clock_at, reads};

async fn rig_on(url: &str, policy: Policy) -> Rig {
    let clock = clock_at(NOON);
    let options = Options { clock: Some(reads(&clock)), policy, ..Options::default() };
    Rig::on(RedisStore::open(url, options).await.unwrap(), clock)
}

/// Runs a script on a family's key.
fn eval(url: &str, user: &User, key: &str, script: &str) -> String {
    let port = url.rsplit_once('/').unwrap().0.rsplit_once(':').unwrap().1.parse().unwrap();
    let database = url.rsplit_once('/').unwrap().1;
    let key = format!("{{p:{}}}:qwen:{key}", user.pool);
    cli(port, &["-n", database, "EVAL", script, "1", &key]).trim().to_owned()
}

#[tokio::test]
async fn a_conversation_is_on_the_same_account_for_every_gateway() {
    let server = Server::shared();
    let url = server.fresh_url();
    let usual = Policy::MostRemaining;
    let (one, other) = (rig_on(&url, usual).await, rig_on(&url, usual).await);
    let ann = one.user_with(Policy::Sticky).await;
    for _ in 0..4 {
        one.account(&ann, 1000).await;
    }
    let home = one.ask(&ann, 200).conversation(7).lands_on().await;
    let there = other.ask(&ann, 200).conversation(7).held().await;
    assert_eq!((there.grant.account, there.grant.stayed), (home, true));
    other.cool(home, 60, false).await;
    let moved = other.ask(&ann, 200).conversation(7).lands_on().await;
    assert_ne!(moved, home);
    assert_eq!(one.ask(&ann, 200).conversation(7).lands_on().await, moved);
}

#[tokio::test]
async fn conversations_are_bounded_in_count_and_time() {
    let server = Server::shared();
    let url = server.fresh_url();
    let rig = rig_on(&url, Policy::Sticky).await;
    let ann = rig.user().await;
    rig.account(&ann, 1000).await;
    // As many as are kept, each older than what follows.
    let kept = Conversation::KEPT;
    let at = rig.now().as_millisecond() - 1000;
    let times = format!("for i = 1, {kept} do redis.call('ZADD', KEYS[1], {at}, 'c' .. i) end");
    let homes = format!("for i = 1, {kept} do redis.call('HSET', KEYS[1], 'c' .. i, '1') end");
    eval(&url, &ann, "ct", &times);
    eval(&url, &ann, "c", &homes);
    let counts = || {
        let times = eval(&url, &ann, "ct", "return redis.call('ZCARD', KEYS[1])");
        let homes = eval(&url, &ann, "c", "return redis.call('HLEN', KEYS[1])");
        [times, homes].map(|count| count.parse::<usize>().unwrap())
    };
    assert_eq!(counts(), [kept, kept]);
    for number in 0..3 {
        rig.ask(&ann, 1).conversation(number).held().await;
    }
    assert_eq!(counts(), [kept, kept]);
    assert!(rig.ask(&ann, 1).conversation(0).held().await.grant.stayed);
    rig.pass(Conversation::FRESH);
    rig.sweep().await;
    assert_eq!(counts(), [0, 0]);
}

#[tokio::test]
async fn another_usual_policy_takes_hold_with_the_next_sweep() {
    let server = Server::shared();
    let url = server.fresh_url();
    let before = rig_on(&url, Policy::MostRemaining).await;
    let ann = before.user().await;
    let rich = before.account_at(&ann, 9000, 99).await;
    let first = before.account_at(&ann, 1000, 1).await;
    assert_eq!(before.ask(&ann, 10).lands_on().await, rich);
    let after = rig_on(&url, Policy::Priority).await;
    assert_eq!(after.store.policy(ann.pool).await.unwrap(), Policy::Priority);
    // Until then the order is not complete, and what is left decides.
    assert_eq!(after.ask(&ann, 10).lands_on().await, rich);
    after.sweep().await;
    assert_eq!(after.ask(&ann, 10).lands_on().await, first);
}

#[tokio::test]
async fn an_account_from_before_there_were_priorities_is_read() {
    let server = Server::shared();
    let url = server.fresh_url();
    let rig = rig_on(&url, Policy::MostRemaining).await;
    let ann = rig.user().await;
    for _ in 0..2 {
        rig.account(&ann, 1000).await;
    }
    let old = rig.account(&ann, 500).await;
    let held = rig.ask(&ann, 40).only(old).held().await;
    // As it was packed then.
    let take_out = format!(
        "local s = cmsgpack.unpack(redis.call('HGET', KEYS[1], '{old}'))
         table.remove(s, 14) table.remove(s, 13)
         redis.call('HSET', KEYS[1], '{old}', cmsgpack.pack(s)) return #s"
    );
    assert_eq!(eval(&url, &ann, "a", &take_out), "17");
    rig.settle(&held, tributary::accounts::Charge::Exact(tributary::accounts::Tokens(30))).await;
    let shown = rig.shown(&ann, old).await;
    assert_eq!((shown.windows[0].used.0, shown.remaining()), (30, Some(470)));
    assert_eq!(shown.priority, tributary::accounts::Priority::default());
    rig.set_policy(&ann, Policy::Priority).await;
    rig.set_priority(old, 1).await;
    assert_eq!(rig.ask(&ann, 40).lands_on().await, old);
}
