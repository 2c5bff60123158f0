//! What only Redis does: it goes away, and comes back knowing no script.

use std::time::Duration;

use tributary::accounts::{
    AccountId, Charge, ChargeKind, HoldAsk, HoldEnd, HoldKey, HoldRefusal, Points, Purse, Refusal,
    Settlement, Tokens,
};
use tributary::store::redis::{Options, RedisStore};
use tributary::store::{Directory, Ledger, Settings, StoreError};
use tributary::telemetry::clock::Stopwatch;

use crate::rig::{NOON, Rig, Server, cli, clock_at, fresh_id, key, reads};

async fn rig_on(url: &str) -> Rig {
    let clock = clock_at(NOON);
    let options = Options { clock: Some(reads(&clock)), ..Options::default() };
    Rig::on(RedisStore::open(url, options).await.unwrap(), clock)
}

#[tokio::test]
async fn a_server_that_is_down_is_an_error_soon_and_comes_back_by_itself() {
    let server = Server::start();
    let store = RedisStore::open(&server.fresh_url(), Options::default()).await.unwrap();
    store.ping().await.unwrap();
    server.stop();
    for _ in 0..3 {
        let since = Stopwatch::start();
        let error = store.add_user("ann").await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
        assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    }
    server.restart();
    // The first call after it is back may be the one that finds the connection broken.
    if store.ping().await.is_err() {
        store.ping().await.unwrap();
    }
    store.add_user("ann").await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_an_error_within_two_seconds() {
    // It accepts, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let since = Stopwatch::start();
    let error = RedisStore::open(&url, Options::default()).await.err().unwrap();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
}

#[tokio::test]
async fn a_password_is_never_shown() {
    let server = Server::shared();
    let port = server.port();
    for url in [
        format!("redis://gateway:hunter2@127.0.0.1:{port}/0"),
        format!("redis://gateway:hunter2@127.0.0.1:{port}/zero"),
        "redis://gateway:hunter2@127.0.0.1:1/0".into(),
        "redis+what://gateway:hunter2@host".into(),
    ] {
        let settings = Settings { url, ..Settings::default() };
        let error = match tributary::store::open(&settings).await {
            Ok(_) => panic!("no such user"),
            Err(error) => error,
        };
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[tokio::test]
async fn a_server_that_forgot_the_scripts_is_given_them_again() {
    let server = Server::start();
    let url = server.fresh_url();
    let rig = rig_on(&url).await;
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let held = rig.ask(&ann, 10).held().await;
    let client = redis::Client::open(url).unwrap();
    let mut conn = client.get_multiplexed_async_connection().await.unwrap();
    let flush = redis::cmd("SCRIPT").arg("FLUSH").take();
    flush.query_async::<()>(&mut conn).await.unwrap();
    rig.settle(&held, Charge::Exact(Tokens(9))).await;
    rig.ask(&ann, 10).held().await;
    assert_eq!(rig.used(&ann, one).await, 9);
}

#[tokio::test]
async fn the_servers_clock_is_the_clock() {
    let server = Server::shared();
    let store = RedisStore::open(&server.fresh_url(), Options::default()).await.unwrap();
    let before = tributary::telemetry::clock::now();
    let user = store.add_user("ann").await.unwrap();
    let since = user.created_at.duration_since(before);
    assert!(since.abs() < jiff::SignedDuration::from_secs(10), "{since}");
}

#[tokio::test]
async fn a_lease_that_ended_before_it_was_asked_for_is_refused() {
    let server = Server::shared();
    let rig = rig_on(&server.fresh_url()).await;
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let id = fresh_id();
    let lease = key(id, &ann, AccountId(0), rig.now());
    let release = vec![Settlement { lease: lease.into(), charge: Charge::Release }];
    rig.store.settle(release.clone(), &rig.resets()).await.unwrap();
    assert_eq!(rig.ask(&ann, 10).id(id).refused().await, Refusal::Busy);
    assert_eq!(rig.shown(&ann, one).await.leased, Tokens::ZERO);
    assert_eq!(rig.charges(&ann).await, []);
    // So is one that ended in any other way.
    for charge in [Charge::Release, Charge::Exact(Tokens(5)), Charge::Estimated(Tokens(5))] {
        let held = rig.ask(&ann, 10).held().await;
        rig.settle(&held, charge).await;
        assert_eq!(rig.ask(&ann, 10).id(held.key.id).refused().await, Refusal::Busy);
    }
    // A minute on, nothing is remembered of it.
    rig.pass_secs(60);
    rig.sweep().await;
    rig.ask(&ann, 10).id(id).held().await;
}

#[tokio::test]
async fn an_account_that_cannot_be_read_keeps_no_other_from_being_settled() {
    let server = Server::shared();
    let url = server.fresh_url();
    let rig = rig_on(&url).await;
    let ann = rig.user().await;
    let (bad, good) = (rig.account(&ann, 1000).await, rig.account(&ann, 1000).await);
    let ben = rig.user().await;
    let bens = rig.account(&ben, 1000).await;
    let mut batch = Vec::new();
    for (user, account) in [(&ann, bad), (&ann, good), (&ben, bens)] {
        let lease = rig.ask(user, 10).only(account).held().await.key;
        batch.push(Settlement { lease: lease.into(), charge: Charge::Exact(Tokens(9)) });
    }
    let client = redis::Client::open(url).unwrap();
    let mut conn = client.get_multiplexed_async_connection().await.unwrap();
    let accounts = format!("{{p:{}}}:qwen:a", ann.pool);
    let fields: Vec<Vec<u8>> =
        redis::cmd("HMGET").arg(&accounts).arg(bad.0).query_async(&mut conn).await.unwrap();
    let spoil = redis::cmd("HSET").arg(&accounts).arg(bad.0).arg("?").take();
    spoil.query_async::<()>(&mut conn).await.unwrap();
    for _ in 0..2 {
        let error = rig.store.settle(batch.clone(), &rig.resets()).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    }
    let mend = redis::cmd("HSET").arg(&accounts).arg(bad.0).arg(&fields[0]).take();
    mend.query_async::<()>(&mut conn).await.unwrap();
    assert_eq!(rig.used(&ann, good).await, 9);
    assert_eq!(rig.used(&ben, bens).await, 9);

    // A key of another kind, and one that is not for us.
    let wrong = redis::cmd("SET").arg(format!("{{p:{}}}:qwen:ls", ben.pool)).arg("x").take();
    wrong.query_async::<()>(&mut conn).await.unwrap();
    let error = rig.store.settle(batch, &rig.resets()).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_is_full_or_lacks_its_replica_is_an_error_that_passes() {
    let server = Server::start();
    let url = server.fresh_url();
    let rig = rig_on(&url).await;
    let ann = rig.user().await;
    let client = redis::Client::open(url).unwrap();
    let mut conn = client.get_multiplexed_async_connection().await.unwrap();
    for (setting, on, off, code) in
        [("maxmemory", "1", "0", "OOM"), ("min-replicas-to-write", "1", "0", "NOREPLICAS")]
    {
        for (value, fails) in [(on, true), (off, false)] {
            let set = redis::cmd("CONFIG").arg("SET").arg(setting).arg(value).take();
            set.query_async::<()>(&mut conn).await.unwrap();
            let lease = key(fresh_id(), &ann, AccountId(0), rig.now());
            let batch = vec![Settlement { lease: lease.into(), charge: Charge::Release }];
            match rig.store.settle(batch, &rig.resets()).await {
                Err(StoreError::Unavailable(why)) => {
                    assert_eq!((fails, why), (true, format!("Redis says {code}")));
                }
                answer => assert!(answer.is_ok() && !fails, "{answer:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_record_that_is_given_again_counts_once() {
    let server = Server::shared();
    let rig = rig_on(&server.fresh_url()).await;
    let ann = rig.user().await;
    let one = crate::records::record(&rig, &ann, "one");
    for _ in 0..2 {
        rig.record(vec![one.clone()]).await.unwrap();
    }
    let day = one.day();
    let totals = rig.store.totals_of(ann.id, day, day).await.unwrap();
    assert_eq!(totals.iter().map(|total| total.counts.calls).collect::<Vec<_>>(), [1]);
    assert_eq!(rig.store.records_of(ann.id, None, 10).await.unwrap(), [one]);
}

#[tokio::test]
async fn a_record_that_is_given_again_after_its_account_was_removed_counts_once() {
    let server = Server::shared();
    let rig = rig_on(&server.fresh_url()).await;
    let ann = rig.user().await;
    let account = rig.account(&ann, 1000).await;
    let mut one = crate::records::record(&rig, &ann, "one");
    one.attempts[0].account = account;
    // Written, but its gateway never heard of it.
    rig.record(vec![one.clone()]).await.unwrap();
    assert!(rig.store.remove_account(account).await.unwrap());
    let mut two = crate::records::record(&rig, &ann, "two");
    two.attempts[0].account = account;
    rig.record(vec![one.clone(), two]).await.unwrap();
    let totals = rig.store.totals_of(ann.id, one.day(), one.day()).await.unwrap();
    assert_eq!(totals.iter().map(|total| total.counts.calls).collect::<Vec<_>>(), [2]);
    let kept = rig.store.records_of(ann.id, None, 10).await.unwrap();
    assert_eq!(kept.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["two"]);
}

#[tokio::test]
async fn charges_are_bounded_by_their_number_too() {
    let server = Server::shared();
    let clock = clock_at(NOON);
    let keep = tributary::store::Keep { records_an_account: 10, ..Default::default() };
    let options = Options { clock: Some(reads(&clock)), keep, ..Options::default() };
    let rig = Rig::on(RedisStore::open(&server.fresh_url(), options).await.unwrap(), clock);
    let ann = rig.user().await;
    rig.account(&ann, 1000).await;
    for _ in 0..400 {
        let held = rig.ask(&ann, 1).held().await;
        rig.settle(&held, Charge::Release).await;
    }
    rig.sweep().await;
    // A stream is cut node by node.
    assert!((100..=200).contains(&rig.charges(&ann).await.len()));
}

#[tokio::test]
async fn a_settlement_of_a_lease_that_a_fail_over_lost_counts_once() {
    let server = Server::shared();
    let url = server.fresh_url();
    let rig = rig_on(&url).await;
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let held = rig.ask(&ann, 30).held().await;
    let old = rig.ask(&ann, 30).held().await;
    // What a replica that had not heard of the leases would hold.
    let client = redis::Client::open(url).unwrap();
    let mut conn = client.get_multiplexed_async_connection().await.unwrap();
    for suffix in ["ls", "ld"] {
        let key = format!("{{p:{}}}:qwen:{suffix}", ann.pool);
        redis::cmd("DEL").arg(key).query_async::<()>(&mut conn).await.unwrap();
    }
    for _ in 0..2 {
        rig.settle(&held, Charge::Exact(Tokens(25))).await;
    }
    assert_eq!(rig.used(&ann, one).await, 25);
    // Ten minutes on, one that ended would have no tombstone, so none is believed.
    rig.pass_secs(600);
    rig.sweep().await;
    rig.settle(&held, Charge::Exact(Tokens(25))).await;
    rig.settle(&old, Charge::Exact(Tokens(25))).await;
    assert_eq!(rig.used(&ann, one).await, 25);
}

#[tokio::test]
async fn a_hold_that_a_failover_lost_is_charged_once_and_one_given_up_is_never_granted() {
    let server = Server::shared();
    let rig = rig_on(&server.fresh_url()).await;
    let ann = rig.user().await;
    rig.store.grant_points(ann.id, Points(1000), "").await.unwrap();
    let purse = Purse::Points(ann.id);
    let key = || HoldKey {
        id: fresh_id(),
        purse: purse.clone(),
        estimate: 50,
        granted_at: rig.now(),
        note: "qwen/qwen-plus".into(),
    };
    let end = async |hold: &HoldKey, kind, amount| {
        let ends = vec![HoldEnd { hold: hold.clone(), kind, amount }];
        rig.store.end_holds(ends).await.unwrap();
        rig.store.purse(&purse).await.unwrap().left
    };
    let lost = key();
    assert_eq!(end(&lost, ChargeKind::Exact, 40).await, 960);
    assert_eq!(end(&lost, ChargeKind::Exact, 40).await, 960);
    let given_up = key();
    assert_eq!(end(&given_up, ChargeKind::Released, 0).await, 960);
    let asked = rig.store.hold(HoldAsk { key: &given_up, most: 1 }).await.unwrap();
    assert_eq!(asked, Err(HoldRefusal::Busy));
    let long_ago = key();
    rig.pass_secs(600);
    assert_eq!(end(&long_ago, ChargeKind::Exact, 40).await, 960);
    assert_eq!(rig.store.points_ledger(ann.id, None, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn gateways_share_a_tokens_rate() {
    let server = Server::shared();
    let url = server.fresh_url();
    let rate = std::num::NonZeroU32::new(10).unwrap();
    let gateways = [rig_on(&url).await, rig_on(&url).await, rig_on(&url).await];
    let mut admitted = 0;
    for turn in 0..30 {
        let answer = gateways[turn % 3].store.admit("token", rate).await.unwrap();
        admitted += usize::from(answer.is_ok());
    }
    assert_eq!(admitted, 10);
}

#[tokio::test]
async fn a_call_whose_connection_broke_goes_again_on_the_next() {
    let server = Server::start();
    let rig = rig_on(&server.fresh_url()).await;
    let ann = rig.user().await;
    rig.account(&ann, 100).await;
    for _ in 0..3 {
        cli(server.port(), &["CLIENT", "KILL", "TYPE", "normal"]);
        rig.ask(&ann, 1).told().await.unwrap().unwrap();
        cli(server.port(), &["CLIENT", "KILL", "TYPE", "normal"]);
        rig.store.ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_foreign_account_costs_the_commands_that_a_missing_one_does() {
    let server = Server::start();
    let rig = rig_on(&server.fresh_url()).await;
    let (ann, ben) = (rig.user().await, rig.user().await);
    let (hers, his) = (rig.account(&ann, 100).await, rig.account(&ben, 100).await);
    let commands = async |id| {
        cli(server.port(), &["CONFIG", "RESETSTAT"]);
        let found = rig.store.account_in(&[ann.pool], id, &rig.resets()).await.unwrap();
        let told = cli(server.port(), &["INFO", "commandstats"]);
        let calls = |line: &str| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let count = rest.split(',').next()?;
            (!["info", "config|resetstat"].contains(&name)).then(|| format!("{name} {count}"))
        };
        (found.is_some(), told.lines().filter_map(calls).collect::<Vec<_>>())
    };
    let missing = commands(AccountId(999_999)).await;
    assert_eq!(missing, (false, vec!["get 1".to_owned()]));
    assert_eq!(commands(his).await, missing);
    let (found, own) = commands(hers).await;
    assert!(found && own.len() > 1, "{own:?}");
}
