//! Leases that are asked for at one time go in one call, and each is answered for itself.

use std::pin::pin;

use futures_util::future::join_all;
use futures_util::poll;
use tributary::accounts::{Charge, Refusal, Tokens};
use tributary::store::StoreError;

use crate::rig::{Rig, Server, Wish, cli, fresh_id, key};

/// How many scripts a server has run.
fn scripts(server: &Server) -> usize {
    let told = cli(server.port(), &["INFO", "commandstats"]);
    let calls = ["eval", "evalsha"].iter().filter_map(|name| {
        let rest = told.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:")))?;
        rest.strip_prefix("calls=")?.split(',').next()?.parse::<usize>().ok()
    });
    calls.sum()
}

#[tokio::test]
async fn a_crowd_is_answered_in_few_calls_and_no_account_is_overdrawn() {
    let server = Server::start();
    let rig = Rig::on_url(&server.fresh_url(), Wish::default()).await;
    let ann = rig.user().await;
    let mut all = Vec::new();
    for limit in [200, 300] {
        all.push(rig.account(&ann, limit).await);
    }
    rig.ask(&ann, 0).held().await;
    let before = scripts(&server);
    let answers = join_all((0..130).map(|_| rig.ask(&ann, 10).answer())).await;
    // Two of 64, and what is left.
    assert_eq!(scripts(&server) - before, 3);
    let granted: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
    assert_eq!(granted.len(), 50);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(Refusal::Busy))));
    let states = rig.store.accounts_in(&[ann.pool], &rig.resets()).await.unwrap();
    for (id, limit) in all.into_iter().zip([200, 300]) {
        let leased = granted.iter().filter(|held| held.grant.account == id).count() as u64 * 10;
        assert_eq!(leased, limit);
        let state = states.iter().find(|state| state.account.id == id).unwrap();
        assert_eq!(state.leased, Tokens(limit));
    }
}

#[tokio::test]
async fn who_asks_while_two_calls_are_under_way_joins_the_next() {
    let server = Server::start();
    let rig = Rig::on_url(&server.fresh_url(), Wish::default()).await;
    let ann = rig.user().await;
    rig.account(&ann, 1000).await;
    rig.ask(&ann, 0).held().await;
    let before = scripts(&server);
    cli(server.port(), &["CLIENT", "PAUSE", "60000", "WRITE"]);
    let mut asks = Vec::new();
    for _ in 0..10 {
        let mut ask = Box::pin(rig.ask(&ann, 10).answer());
        assert!(poll!(ask.as_mut()).is_pending());
        asks.push(ask);
        // What is wanted now is sent before the next one asks.
        tokio::task::yield_now().await;
    }
    cli(server.port(), &["CLIENT", "UNPAUSE"]);
    assert!(join_all(asks).await.iter().all(Result::is_ok));
    assert_eq!(scripts(&server) - before, 3);
}

#[tokio::test]
async fn one_that_fails_keeps_no_other_from_its_lease() {
    let server = Server::shared();
    let url = server.fresh_url();
    let rig = Rig::on_url(&url, Wish::default()).await;
    let ann = rig.user().await;
    let (best, bad) = (rig.account(&ann, 100).await, rig.account(&ann, 50).await);
    let database = url.rsplit_once('/').unwrap().1;
    let accounts = format!("{{p:{}}}:qwen:a", ann.pool);
    cli(server.port(), &["-n", database, "HSET", &accounts, &bad.0.to_string(), "?"]);
    let asks = [None, Some(bad), None].map(|only| {
        let ask = rig.ask(&ann, 10);
        async move {
            match only {
                Some(only) => ask.only(only).told().await,
                None => ask.told().await,
            }
        }
    });
    let [first, failed, last] = join_all(asks).await.try_into().unwrap();
    for held in [first, last] {
        assert_eq!(held.unwrap().unwrap().grant.account, best);
    }
    assert!(matches!(failed, Err(StoreError::Corrupt { .. })), "{failed:?}");
}

#[tokio::test]
async fn nobody_is_refused_while_an_account_could_not_be_woken() {
    let server = Server::shared();
    let url = server.fresh_url();
    let rig = Rig::on_url(&url, Wish::default()).await;
    let ann = rig.user().await;
    let (few, many) = (rig.account(&ann, 20).await, rig.account(&ann, 100).await);
    rig.cool(many, 60, false).await;
    rig.pass_secs(61);
    let database = url.rsplit_once('/').unwrap().1;
    let resting = format!("{{p:{}}}:qwen:r", ann.pool);
    for words in [&["DEL", &resting][..], &["SET", &resting, "?"]] {
        cli(server.port(), &[&["-n", database], words].concat());
    }
    let asks = [10, 50].map(|estimate| rig.ask(&ann, estimate).told());
    let [fits, failed] = join_all(asks).await.try_into().unwrap();
    assert_eq!(fits.unwrap().unwrap().grant.account, few);
    assert!(matches!(failed, Err(StoreError::Corrupt { .. })), "{failed:?}");
}

#[tokio::test]
async fn who_gives_up_meanwhile_holds_nothing_and_keeps_no_other_from_its_lease() {
    let rig = Rig::redis(Wish::default()).await;
    let ann = rig.user().await;
    let account = rig.account(&ann, 100).await;
    let id = fresh_id();
    let given_up = rig.ask(&ann, 10).id(id).answer();
    let stays = rig.ask(&ann, 20).answer();
    let mut stays = pin!(stays);
    {
        let mut given_up = pin!(given_up);
        assert!(poll!(given_up.as_mut()).is_pending());
        assert!(poll!(stays.as_mut()).is_pending());
    }
    assert_eq!(stays.await.unwrap().grant.account, account);
    assert_eq!(rig.shown(&ann, account).await.leased, Tokens(30));
    let lease = key(id, &ann, account, rig.now());
    let settlement =
        tributary::accounts::Settlement { lease: lease.into(), charge: Charge::Release };
    rig.store.settle(vec![settlement], &rig.resets()).await.unwrap();
    assert_eq!(rig.shown(&ann, account).await.leased, Tokens(20));
}

#[tokio::test]
async fn what_nobody_waits_for_is_not_sent() {
    let server = Server::start();
    let rig = Rig::on_url(&server.fresh_url(), Wish::default()).await;
    let ann = rig.user().await;
    let account = rig.account(&ann, 100).await;
    let before = scripts(&server);
    for _ in 0..2 {
        assert!(poll!(pin!(rig.ask(&ann, 10).answer())).is_pending());
    }
    tokio::task::yield_now().await;
    rig.store.ping().await.unwrap();
    assert_eq!(scripts(&server), before);
    assert_eq!(rig.shown(&ann, account).await.leased, Tokens(0));
}
