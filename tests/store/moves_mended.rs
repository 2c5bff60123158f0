//! On Redis: what moves have left in the wrong place is found by sweeps, and put in order.

use tributary::accounts::{AccountId, Health, Moving};

use crate::moves::{breaks_off, move_to, seen, there};
use crate::rig::{Rig, Server, Wish};

/// Redis, to look and write behind the store's back.
async fn behind(url: &str) -> redis::aio::MultiplexedConnection {
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}

// As where the old pool's master lost that it let the account go.
#[tokio::test]
async fn what_is_ready_in_an_older_pool_goes_when_a_move_is_ended_or_a_sweep_comes_by() {
    let server = Server::shared();
    for ends in [true, false] {
        let url = server.fresh_url();
        let rig = Rig::on_url(&url, Wish::default()).await;
        let (ann, ben) = (rig.user().await, rig.store.add_user("ben").await.unwrap());
        let id = rig.account(&ann, 1000).await;
        let mut conn = behind(&url).await;
        let parts = ["a", "f"].map(|part| format!("{{p:{}}}:qwen:{part}", ann.pool));
        let mut was = Vec::new();
        for part in &parts {
            let read = redis::cmd("HGET").arg(part).arg(id.0).take();
            was.push(read.query_async::<Vec<u8>>(&mut conn).await.unwrap());
        }
        assert_eq!(move_to(&rig, &ann, id, &ben).await, Moving::Done);
        for (part, was) in parts.iter().zip(&was) {
            let write = redis::cmd("HSET").arg(part).arg(id.0).arg(was).take();
            write.query_async::<()>(&mut conn).await.unwrap();
        }
        let forget = redis::cmd("DEL").arg(format!("{{p:{}}}:qwen:mv", ann.pool)).take();
        forget.query_async::<()>(&mut conn).await.unwrap();
        let both = seen(&rig, [&ann, &ben], id).await;
        assert_eq!(both.iter().filter(|state| state.health == Health::Active).count(), 2);
        if ends {
            rig.store.end_move(id).await.unwrap();
        } else {
            rig.sweep().await;
        }
        let states = seen(&rig, [&ann, &ben], id).await;
        let [state] = &states[..] else { panic!("it is in one pool: {states:?}") };
        assert_eq!(state.account.pool, ben.pool);
        assert_eq!(rig.ask(&ben, 10).lands_on().await, id);
    }
}

#[tokio::test]
async fn sweeps_come_to_each_of_many_accounts() {
    let server = Server::shared();
    let url = server.fresh_url();
    let rig = Rig::on_url(&url, Wish::default()).await;
    let (ann, ben) = (rig.user().await, rig.store.add_user("ben").await.unwrap());
    // More than Redis shows at once.
    for _ in 0..700 {
        rig.account(&ann, 1000).await;
    }
    let mut conn = behind(&url).await;
    let rows = format!("{{p:{}}}:qwen:a", ann.pool);
    let was: Vec<(i64, Vec<u8>)> =
        redis::cmd("HGETALL").arg(&rows).take().query_async(&mut conn).await.unwrap();
    let some = [0, 1, 350, 699].map(|number| was[number].clone());
    for (id, row) in &some {
        assert_eq!(move_to(&rig, &ann, AccountId(*id), &ben).await, Moving::Done);
        let write = redis::cmd("HSET").arg(&rows).arg(id).arg(row).take();
        write.query_async::<()>(&mut conn).await.unwrap();
    }
    // One whose place can't be read, and what is no account, keep no other from being looked at.
    let spoilt = was[2].0;
    let spoil = redis::cmd("SET").arg(format!("acx:{spoilt}")).arg("nowhere").take();
    spoil.query_async::<()>(&mut conn).await.unwrap();
    let stray = redis::cmd("HSET").arg(&rows).arg("stray").arg("?").take();
    stray.query_async::<()>(&mut conn).await.unwrap();
    let left = async |conn: &mut redis::aio::MultiplexedConnection| -> usize {
        redis::cmd("HLEN").arg(&rows).take().query_async(conn).await.unwrap()
    };
    assert_eq!(left(&mut conn).await, 701);
    let mut told = 0;
    for _ in 0..60 {
        told += usize::from(rig.store.sweep(&rig.resets()).await.is_err());
    }
    assert!(told > 0, "nobody hears of the place that can't be read");
    assert_eq!(left(&mut conn).await, 701 - some.len());
    assert_eq!(rig.store.accounts_in(&[ben.pool], &rig.resets()).await.unwrap().len(), some.len());
}

#[tokio::test]
async fn a_move_that_nobody_makes_is_taken_back_by_a_sweep_a_minute_later() {
    let server = Server::shared();
    let url = server.fresh_url();
    let rig = Rig::on_url(&url, Wish::default()).await;
    let (ann, ben) = (rig.user().await, rig.store.add_user("ben").await.unwrap());
    let mut conn = behind(&url).await;
    let mut taken_back = 0;
    for waits in 0.. {
        let id = rig.account(&ann, 1000).await;
        let before = rig.shown(&ann, id).await.account;
        let moving = rig.store.move_account(&before, there(&before, ben.pool));
        let came_to_its_end = breaks_off(moving, waits).await;
        let place = format!("acx:{id}");
        let read = redis::cmd("GET").arg(&place).take();
        let text: String = read.query_async(&mut conn).await.unwrap();
        rig.sweep().await;
        let still: String = read.query_async(&mut conn).await.unwrap();
        assert_eq!(still, text, "after {waits} waits it is taken back too soon");
        let words: Vec<&str> = text.split(' ').collect();
        if let [pool, platform, aim, number] = words[..]
            && pool != aim
        {
            let number = number.parse::<u64>().unwrap() - 60_000_000;
            let older = redis::cmd("SET")
                .arg(&place)
                .arg(format!("{pool} {platform} {aim} {number}"))
                .take();
            older.query_async::<()>(&mut conn).await.unwrap();
            rig.sweep().await;
            taken_back += 1;
        }
        let states = seen(&rig, [&ann, &ben], id).await;
        let [state] = &states[..] else { panic!("after {waits} waits: {states:?}") };
        assert_eq!(state.health, Health::Active, "after {waits} waits");
        rig.store.remove_account(id).await.unwrap();
        if came_to_its_end {
            break;
        }
    }
    assert!(taken_back > 2, "{taken_back} were taken back");
}

// A mover that was slower than a removal leaves what has no place; one that is ready has lost it.
#[tokio::test]
async fn what_arrived_after_its_account_was_removed_goes_when_a_sweep_comes_by() {
    let server = Server::shared();
    let url = server.fresh_url();
    let rig = Rig::on_url(&url, Wish::default()).await;
    let (ann, ben) = (rig.user().await, rig.store.add_user("ben").await.unwrap());
    let mut conn = behind(&url).await;
    let mut gone = 0;
    for waits in 0.. {
        let id = rig.account(&ann, 1000).await;
        let before = rig.shown(&ann, id).await.account;
        let moving = rig.store.move_account(&before, there(&before, ben.pool));
        let came_to_its_end = breaks_off(moving, waits).await;
        let forget = redis::cmd("DEL").arg(format!("acx:{id}")).take();
        forget.query_async::<()>(&mut conn).await.unwrap();
        let ready = async || {
            let states = seen(&rig, [&ann, &ben], id).await.into_iter();
            states.filter(|state| !state.health.is_on_its_way()).count()
        };
        let was_ready = ready().await;
        rig.sweep().await;
        assert_eq!(ready().await, was_ready, "after {waits} waits");
        assert_eq!(seen(&rig, [&ann, &ben], id).await.len(), was_ready, "after {waits} waits");
        gone += usize::from(was_ready == 0);
        for user in [&ann, &ben] {
            let rows = ["a", "f"].map(|part| format!("{{p:{}}}:qwen:{part}", user.pool));
            for row in rows {
                let forget = redis::cmd("HDEL").arg(row).arg(id.0).take();
                forget.query_async::<()>(&mut conn).await.unwrap();
            }
        }
        if came_to_its_end {
            break;
        }
    }
    assert!(gone > 0, "each was ready");
}
