//! What policies are on Redis alone: facts that several gateways share.

use std::collections::BTreeSet;
use std::pin::pin;
use std::task::Poll;

use tributary::accounts::{AccountId, Charge, Conversation, Policy, Refusal, User};
use tributary::store::redis::{Options, RedisStore};

use crate::rig::{Memory, NOON, Rig, Server, cli, clock_at, reads};

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

/// More than a script brings to their places, the one in the middle before all others.
async fn many_accounts(rig: &Rig, user: &User) -> (BTreeSet<AccountId>, AccountId) {
    let (mut all, mut first) = (BTreeSet::new(), None);
    for index in 0..200 {
        let account = rig.account_at(user, 1000, if index == 99 { 20 } else { 50 }).await;
        first = first.or((index == 99).then_some(account));
        all.insert(account);
    }
    (all, first.unwrap())
}

/// Where a walk that brings accounts to their places stands.
fn walk(url: &str, user: &User) -> String {
    let (pool, port) = (user.pool, url.rsplit_once('/').unwrap().0.rsplit_once(':').unwrap().1);
    let next = format!("{{p:{pool}}}:qwen:a next");
    let database = url.rsplit_once('/').unwrap().1;
    let key = format!("{{p:{pool}}}:policy");
    cli(port.parse().unwrap(), &["-n", database, "HGET", &key, &next]).trim().to_owned()
}

/// Changes a pool's policy as a command that is killed half way: some accounts are at their
/// places, others are not.
async fn change_half_way(rig: &Rig, url: &str, user: &User, policy: Policy) {
    let before = rig.store.pool_policy(user.pool).await.unwrap();
    for steps in 1.. {
        rig.store.set_pool_policy(user.pool, before).await.unwrap();
        let mut change = pin!(rig.store.set_pool_policy(user.pool, Some(policy)));
        let mut taken = 0;
        let ended = std::future::poll_fn(|cx| {
            taken += 1;
            match change.as_mut().poll(cx) {
                Poll::Pending if taken <= steps => Poll::Pending,
                Poll::Pending => Poll::Ready(false),
                Poll::Ready(changed) => Poll::Ready(changed.is_ok()),
            }
        });
        assert!(!ended.await, "it is done in one step");
        // What was sent last is done before this is answered.
        rig.store.ping().await.unwrap();
        if !walk(url, user).is_empty() {
            return;
        }
    }
}

/// The accounts of so many leases that end at once.
async fn lands(rig: &Rig, user: &User, times: usize) -> Vec<AccountId> {
    let mut landed = Vec::new();
    for _ in 0..times {
        let held = rig.ask(user, 1).held().await;
        rig.settle(&held, Charge::Release).await;
        landed.push(held.grant.account);
    }
    landed
}

#[tokio::test]
async fn a_policy_that_is_taken_back_half_way_finds_every_account_at_its_place() {
    let server = Server::shared();
    let url = server.fresh_url();
    let rig = rig_on(&url, Policy::MostRemaining).await;
    let ann = rig.user_with(Policy::Priority).await;
    let (all, first) = many_accounts(&rig, &ann).await;
    change_half_way(&rig, &url, &ann, Policy::RoundRobin).await;
    rig.set_policy(&ann, Policy::Priority).await;
    assert_eq!(lands(&rig, &ann, 3).await, [first; 3]);
    // And in the round each comes once.
    change_half_way(&rig, &url, &ann, Policy::RoundRobin).await;
    rig.set_policy(&ann, Policy::Priority).await;
    lands(&rig, &ann, 3).await;
    rig.set_policy(&ann, Policy::RoundRobin).await;
    let round = lands(&rig, &ann, all.len()).await;
    assert_eq!(round.into_iter().collect::<BTreeSet<_>>(), all);
}

#[tokio::test]
async fn a_walk_begins_anew_on_another_process() {
    let server = Server::with(Memory::Kept);
    let url = server.fresh_url();
    let rig = rig_on(&url, Policy::MostRemaining).await;
    let ann = rig.user_with(Policy::Priority).await;
    let (all, _) = many_accounts(&rig, &ann).await;
    change_half_way(&rig, &url, &ann, Policy::RoundRobin).await;
    // A cursor at the walk's end: of what it counts, another process knows nothing.
    let (pool, before) = (ann.pool, walk(&url, &ann));
    let last = format!(
        "local at = string.match(redis.call('HGET', KEYS[1], '{{p:{pool}}}:qwen:a next'), '^(.*) %d+$')
         local cursor = '0'
         while true do
           local page = redis.call('HSCAN', '{{p:{pool}}}:qwen:a', cursor, 'COUNT', 10)
           if page[1] == '0' then break end
           cursor = page[1]
         end
         redis.call('HSET', KEYS[1], '{{p:{pool}}}:qwen:a next', at .. ' ' .. cursor)"
    );
    let database = url.rsplit_once('/').unwrap().1;
    cli(server.port(), &["-n", database, "EVAL", &last, "1", &format!("{{p:{pool}}}:policy")]);
    assert_ne!(walk(&url, &ann), before);
    server.restart();
    if rig.store.ping().await.is_err() {
        rig.store.ping().await.unwrap();
    }
    rig.sweep().await;
    let round = lands(&rig, &ann, all.len()).await;
    assert_eq!(round.into_iter().collect::<BTreeSet<_>>(), all);
}

#[tokio::test]
async fn where_gateways_differ_on_what_is_usual_the_last_that_began_is_followed() {
    let server = Server::shared();
    let url = server.fresh_url();
    let one = rig_on(&url, Policy::Priority).await;
    one.sweep().await;
    let ann = one.user().await;
    let rich = one.account_at(&ann, 9000, 99).await;
    let first = one.account_at(&ann, 1000, 1).await;
    assert_eq!(one.ask(&ann, 10).lands_on().await, first);
    let other = rig_on(&url, Policy::MostRemaining).await;
    // A command says nothing of what is usual: it does as it finds.
    assert_eq!(other.store.policy(ann.pool).await.unwrap(), Policy::Priority);
    assert_eq!(other.ask(&ann, 10).lands_on().await, first);
    other.sweep().await;
    for _ in 0..3 {
        for rig in [&one, &other] {
            assert_eq!(rig.ask(&ann, 10).lands_on().await, rich);
            rig.sweep().await;
        }
    }
    let third = rig_on(&url, Policy::Priority).await;
    third.sweep().await;
    let changes = || {
        let key = format!("{{p:{}}}:policy", ann.pool);
        let database = url.rsplit_once('/').unwrap().1;
        cli(server.port(), &["-n", database, "HGET", &key, "changes"])
    };
    let before = changes();
    for rig in [&one, &other, &third] {
        rig.sweep().await;
        assert_eq!(rig.ask(&ann, 10).lands_on().await, first);
    }
    // Nobody brought accounts from place to place.
    assert_eq!(changes(), before);
}

/// How many commands a server has run, those of scripts too.
fn commands(server: &Server) -> u64 {
    let told = cli(server.port(), &["INFO", "commandstats"]);
    let calls = told.lines().filter_map(|line| line.split_once(":calls=")?.1.split(',').next());
    calls.map(|calls| calls.parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn a_lease_costs_no_more_where_more_models_are_blocked_than_have_orders() {
    let server = Server::start();
    let rig = rig_on(&server.fresh_url(), Policy::Priority).await;
    for policy in [Policy::MostRemaining, Policy::Priority, Policy::RoundRobin] {
        let ann = rig.user_with(policy).await;
        let limits = (100_000..102_000).rev();
        let all =
            futures_util::future::join_all(limits.map(|limit| rig.account(&ann, limit))).await;
        for model in ["m1", "m2", "m3", "m4"] {
            let blocked = all[..32].iter().map(|&id| rig.block(id, model, 600));
            futures_util::future::join_all(blocked).await;
        }
        // All but the last, of which a lease may learn by chance.
        let blocked = all[..1999].iter().map(|&id| rig.block(id, "m5", 600));
        futures_util::future::join_all(blocked).await;
        for _ in 0..3 {
            let before = commands(&server);
            match rig.ask(&ann, 10).model("m5").answer().await {
                Ok(held) => assert_eq!(held.grant.account, all[1999]),
                Err(refusal) => assert_eq!(refusal, Refusal::Busy),
            }
            let cost = commands(&server) - before;
            assert!(cost < 1500, "{policy}: {cost} commands");
        }
        assert_eq!(rig.ask(&ann, 10).model("m1").only(all[40]).lands_on().await, all[40]);
    }
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
