//! Moving an account to another pool: whole, in one pool at every moment, whoever breaks it off.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tributary::accounts::{
    Account, AccountId, AccountState, Charge, Closing, Health, Membership, Moving, Origin, PoolId,
    Refusal, Seating, Team, TeamRole, Tokens, User,
};
use tributary::store::StoreError;
use tributary::vault::SealedCredential;

use crate::contract;
use crate::records::record;
use crate::rig::{MIDNIGHT, Rig, Server, Wish, day, hours};

/// The account as it would lie in another pool.
pub(crate) fn there(account: &Account, pool: PoolId) -> Account {
    let wrapped_key = format!("wrapped for {pool}").into();
    let body = format!("sealed for {pool}").into();
    account.bound_for(pool).sealed_as(SealedCredential { wrapped_key, body })
}

pub(crate) async fn move_to(rig: &Rig, from: &User, id: AccountId, to: &User) -> Moving {
    let before = rig.shown(from, id).await.account;
    rig.store.move_account(&before, there(&before, to.pool)).await.unwrap()
}

/// Those of the users whose pools have it, and what it is there.
pub(crate) async fn seen(rig: &Rig, users: [&User; 2], id: AccountId) -> Vec<AccountState> {
    let mut all = Vec::new();
    for user in users {
        let states = rig.store.accounts_in(&[user.pool], &rig.resets()).await.unwrap();
        all.extend(states.into_iter().filter(|state| state.account.id == id));
    }
    all
}

contract! {
    async fn an_account_moves_with_all_that_is_its_own(rig: Rig) {
        let mut rig = rig;
        let (ann, ben) = (rig.user().await, rig.user().await);
        let id = rig.account_with(&ann, "qwen", vec![day(1000), hours(5, 500)]).await;
        let stays = rig.account(&ann, 70).await;
        let held = rig.ask(&ann, 30).only(id).held().await;
        rig.settle(&held, Charge::Exact(Tokens(45))).await;
        let mut call = record(&rig, &ann, "r1");
        call.attempts[0].account = id;
        rig.record(vec![call]).await.unwrap();
        rig.set_priority(id, 3).await;
        rig.block(id, "qwen-max", 600).await;
        let before = rig.shown(&ann, id).await;

        assert_eq!(move_to(&rig, &ann, id, &ben).await, Moving::Done);
        for crashed in [false, true] {
            if crashed {
                rig.crash();
            }
            let states = seen(&rig, [&ann, &ben], id).await;
            let [after] = &states[..] else { panic!("it is in one pool: {states:?}") };
            let account = there(&before.account, ben.pool);
            let expected = AccountState { account, ..before.clone() };
            assert_eq!(serde_json::to_value(after).unwrap(), serde_json::to_value(expected).unwrap());
            let fixed = rig.store.account(id).await.unwrap().unwrap();
            assert_eq!((fixed.pool, fixed.generation), (ben.pool, 2));
            assert_eq!(rig.ask(&ann, 30).lands_on().await, stays);
            let refused = rig.ask(&ben, 30).model("qwen-max").refused().await;
            assert!(matches!(refused, Refusal::Exhausted { .. }), "{refused:?}");
        }
        // What it did stays where it is.
        let records = rig.store.records_on(ann.id, id, None, 10).await.unwrap();
        assert_eq!(records.len(), 1);
        let today = rig.now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
        let counted = async |rig: &Rig| {
            let totals = rig.store.totals_of(ann.id, today, today).await.unwrap();
            let all = totals.into_iter().filter(|total| total.counts.exact > Tokens::ZERO);
            all.map(|total| (total.key.account, total.counts.exact.0)).collect::<Vec<_>>()
        };
        assert_eq!(counted(&rig).await, [(Some(id), 45)]);

        // It is used there as any, and by its new pool's clock.
        let held = rig.ask(&ben, 30).held().await;
        rig.settle(&held, Charge::Exact(Tokens(5))).await;
        assert_eq!(rig.used(&ben, id).await, 50);
        rig.set(MIDNIGHT);
        rig.sweep().await;
        let rolled = rig.shown(&ben, id).await;
        assert_eq!((rolled.windows[0].used, rolled.windows[1].used), (Tokens(0), Tokens(50)));
        assert!(rig.ask(&ben, 30).model("qwen-max").held().await.grant.account == id);

        // Its removal finds what it left behind.
        assert!(rig.store.remove_account(id).await.unwrap());
        assert_eq!(counted(&rig).await, [(None, 45)]);
        assert_eq!(rig.charges(&ann).await.into_iter().filter(|row| row.account == id).count(), 0);
        assert!(rig.store.records_on(ann.id, id, None, 10).await.unwrap().is_empty());
        assert!(!rig.store.remove_account(id).await.unwrap());
    }
}

contract! {
    async fn what_stopped_an_account_stops_it_in_its_new_pool(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        let id = rig.account(&ann, 1000).await;
        let healths = [
            Health::disabled_by_hand(),
            Health::Expired { reason: "401".into() },
            Health::Locked { reason: "k1".into() },
        ];
        for (turn, health) in healths.into_iter().enumerate() {
            let [from, to] = if turn % 2 == 0 { [&ann, &ben] } else { [&ben, &ann] };
            rig.store.set_health(id, health.clone()).await.unwrap().unwrap();
            assert_eq!(move_to(&rig, from, id, to).await, Moving::Done);
            assert_eq!(rig.shown(to, id).await.health, health);
            assert!(rig.ask(to, 10).answer().await.is_err());
        }
        rig.cool(id, 300, false).await;
        assert_eq!(move_to(&rig, &ben, id, &ann).await, Moving::Done);
        let Health::Cooling { until, .. } = rig.shown(&ann, id).await.health else { panic!("it rests") };
        assert_eq!(until, rig.now() + jiff::SignedDuration::from_secs(300));
        rig.pass_secs(300);
        rig.sweep().await;
        assert_eq!(rig.ask(&ann, 10).lands_on().await, id);
    }
}

contract! {
    async fn an_account_does_not_move_with_a_lease_open_nor_to_where_it_cant_be(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        let id = rig.account(&ann, 1000).await;
        let before = rig.shown(&ann, id).await.account;
        let to = |pool| there(&before, pool);

        let held = rig.ask(&ann, 30).held().await;
        assert_eq!(move_to(&rig, &ann, id, &ben).await, Moving::Busy);
        assert_eq!(rig.ask(&ann, 30).only(id).lands_on().await, id, "nothing has changed");
        rig.settle(&held, Charge::Exact(Tokens(45))).await;
        assert_eq!(move_to(&rig, &ann, id, &ben).await, Moving::Busy, "there is another one");
        // By its deadline that one ends, charged where it began.
        rig.pass_secs(120);
        rig.sweep().await;

        // The name is taken.
        let namesake = rig.account(&ben, 1000).await;
        rig.store.rename_account(namesake, &before.name).await.unwrap().unwrap();
        let taken = rig.store.move_account(&before, to(ben.pool)).await.unwrap_err();
        assert!(matches!(taken, StoreError::Taken(_)), "{taken}");
        // The pool is closed.
        let pool = rig.store.reserve_pool_id().await.unwrap();
        let founder = Membership {
            pool,
            user: ann.id,
            role: TeamRole::Owner,
            joined_at: rig.now(),
            mac: "mac".into(),
        };
        let team = Team { id: pool, name: "lab".into(), created_at: rig.now() };
        assert_eq!(rig.store.found_team(team, founder).await.unwrap(), Seating::Done);
        assert_eq!(rig.store.close_team(pool).await.unwrap(), Closing::Done);
        let closed = rig.store.move_account(&before, to(pool)).await.unwrap_err();
        assert!(matches!(closed, StoreError::Gone(_)), "{closed}");
        // Each time it stays what it was, where it was.
        let state = rig.shown(&ann, id).await;
        assert_eq!((&state.health, state.windows[0].used.0), (&Health::Active, 75));
        assert_eq!(rig.ask(&ann, 30).lands_on().await, id);
        assert_eq!(rig.store.close_team(pool).await.unwrap(), Closing::Unknown);
        rig.pass_secs(120);
        rig.sweep().await;

        // It is no longer what was read of it.
        rig.store.remove_account(namesake).await.unwrap();
        let older = Account { generation: 0, ..before.clone() };
        let move_it = async |before: &Account| {
            rig.store.move_account(before, there(before, ben.pool)).await.unwrap()
        };
        assert_eq!(move_it(&older).await, Moving::Stale);
        let resealed = SealedCredential { wrapped_key: "other".into(), body: "other".into() };
        assert_eq!(move_it(&before.clone().sealed_as(resealed)).await, Moving::Stale);
        assert_eq!(move_it(&Account { id: AccountId(999_999), ..before.clone() }).await, Moving::Stale);
        assert_eq!(move_it(&before).await, Moving::Done);
        assert_eq!(move_it(&before).await, Moving::Stale, "it is not there any more");
        rig.store.remove_account(id).await.unwrap();
        assert_eq!(move_it(&before).await, Moving::Stale);
    }
}

contract! {
    async fn of_several_who_move_an_account_at_once_one_does(rig: Rig) {
        let users = [rig.user().await, rig.user().await, rig.user().await];
        let id = rig.account(&users[0], 1000).await;
        let mut at = 0;
        for round in 0..20 {
            let before = rig.shown(&users[at], id).await.account;
            let others = [(at + 1) % 3, (at + 2) % 3];
            let movers = (0..6).map(|mover| {
                let to = users[others[mover % 2]].pool;
                let (rig, before) = (&rig, &before);
                async move { rig.store.move_account(before, there(before, to)).await.unwrap() }
            });
            let all = futures_util::future::join_all(movers).await;
            let done = all.iter().filter(|moving| **moving == Moving::Done).count();
            assert!(done >= 1, "round {round}: {all:?}");
            let mut pools = Vec::new();
            for (number, user) in users.iter().enumerate() {
                let states = rig.store.accounts_in(&[user.pool], &rig.resets()).await.unwrap();
                pools.extend(states.iter().map(|state| (number, state.health.clone())));
            }
            let [(is_at, Health::Active)] = pools[..] else { panic!("round {round}: {pools:?}") };
            assert!(others.contains(&is_at), "round {round}");
            let held = rig.ask(&users[is_at], 10).held().await;
            rig.settle(&held, Charge::Exact(Tokens(1))).await;
            assert_eq!(rig.used(&users[is_at], id).await, round + 1);
            at = is_at;
        }
    }
}

/// What the API finds of an account of somebody who draws from both pools.
async fn found(rig: &Rig, users: [&User; 2], id: AccountId) -> Account {
    let pools = users.map(|user| user.pool);
    rig.store.account_in(&pools, id, &rig.resets()).await.unwrap().unwrap().account
}

// It is kept for seconds what an account is; who leases one must not send what it was.
#[tokio::test]
async fn a_gateway_that_leases_an_account_moved_by_another_sees_it_where_it_is() {
    let server = Server::shared();
    let url = server.fresh_url();
    let (one, other) =
        (Rig::on_url(&url, Wish::default()).await, Rig::on_url(&url, Wish::default()).await);
    let (ann, ben) = (one.user().await, one.store.add_user("ben").await.unwrap());
    let id = one.account(&ann, 1000).await;
    let pool = async || other.store.account(id).await.unwrap().unwrap().pool;
    assert_eq!(pool().await, ann.pool);
    assert_eq!(move_to(&one, &ann, id, &ben).await, Moving::Done);
    assert_eq!(other.ask(&ben, 10).lands_on().await, id);
    assert_eq!(pool().await, ben.pool);
    // Nor does what a person sets there look where it was.
    other.pass_secs(120);
    other.sweep().await;
    assert_eq!(move_to(&one, &ben, id, &ann).await, Moving::Done);
    assert_eq!(pool().await, ben.pool, "it is kept, so that this proves something");
    assert!(other.store.set_health(id, Health::disabled_by_hand()).await.unwrap().is_some());
    other.set_priority(id, 3).await;
    let set = other.store.set_limit(id, Some(Tokens(5)), Origin::Hand, &other.resets()).await;
    assert_eq!(set.unwrap(), Some(()));
    assert_eq!(other.store.rename_account(id, "new").await.unwrap(), Some(()));
}

/// Polls a future until it has waited so often, and drops it: as one whose gateway is killed.
/// Answers whether it came to its end before.
pub(crate) async fn breaks_off<F: Future>(future: F, waits: usize) -> bool {
    let (mut future, mut waited) = (pin!(future), 0);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(true),
        Poll::Pending if waited == waits => Poll::Ready(false),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await
}

/// Where a request may land: at one of the users at most.
async fn leased_at(rig: &Rig, users: [&User; 2], id: AccountId) -> Option<usize> {
    let mut at = Vec::new();
    for (number, user) in users.into_iter().enumerate() {
        if let Ok(held) = rig.ask(user, 10).only(id).answer().await {
            rig.settle(&held, Charge::Release).await;
            at.push(number);
        }
    }
    assert!(at.len() <= 1, "it is leased in two pools");
    at.pop()
}

contract! {
    async fn a_move_that_is_broken_off_anywhere_is_finished_by_another_or_taken_back(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        let both = [&ann, &ben];
        let mut broken = 0;
        for waits in 0.. {
            let mut came_to_its_end = false;
            for finishes in [true, false] {
                let id = rig.account(&ann, 1000).await;
                let held = rig.ask(&ann, 30).only(id).held().await;
                rig.settle(&held, Charge::Exact(Tokens(45))).await;
                rig.block(id, "qwen-max", 600).await;
                let before = rig.shown(&ann, id).await;
                let after = there(&before.account, ben.pool);
                let moving = rig.store.move_account(&before.account, after.clone());
                came_to_its_end = breaks_off(moving, waits).await;
                broken += usize::from(!came_to_its_end);

                let what = format!("after {waits} waits");
                leased_at(&rig, both, id).await;
                let states = seen(&rig, both, id).await;
                assert!(!states.is_empty(), "{what} it is nowhere");
                for state in &states {
                    assert_eq!(state.windows[0].used, Tokens(45), "{what}");
                    // Until it is ended it can't be switched on.
                    if state.health.is_on_its_way() {
                        let on = rig.store.set_health(id, Health::Active).await.unwrap();
                        assert!(on.is_none() || leased_at(&rig, both, id).await.is_some(), "{what}");
                    }
                }
                if finishes {
                    // As the API does: it reads the account, and moves it where it is to be.
                    let is = found(&rig, both, id).await;
                    if is.pool == ben.pool {
                        rig.store.end_move(id).await.unwrap();
                    } else {
                        let again = rig.store.move_account(&is, there(&is, ben.pool)).await.unwrap();
                        assert_eq!(again, Moving::Done, "{what}");
                    }
                    assert_eq!(leased_at(&rig, both, id).await, Some(1), "{what}");
                } else {
                    rig.store.end_move(id).await.unwrap();
                    assert!(leased_at(&rig, both, id).await.is_some(), "{what}");
                }
                let states = seen(&rig, both, id).await;
                let [state] = &states[..] else { panic!("{what}: {states:?}") };
                assert_eq!(state.health, Health::Active, "{what}");
                assert_eq!(state.windows[0].used, Tokens(45), "{what}");
                let account = if state.account.pool == ben.pool { &after } else { &before.account };
                assert_eq!(&state.account.sealed, &account.sealed, "{what}");
                assert_eq!(state.account.generation, account.generation, "{what}");
                let blocked = both[usize::from(state.account.pool == ben.pool)];
                assert!(rig.ask(blocked, 10).only(id).model("qwen-max").answer().await.is_err(), "{what}");
                // Nothing of it is left when it is removed.
                assert!(rig.store.remove_account(id).await.unwrap());
                assert!(seen(&rig, both, id).await.is_empty(), "{what}");
            }
            if came_to_its_end {
                break;
            }
        }
        assert!(broken > 0, "no move was broken off");
    }
}

contract! {
    async fn an_account_bound_elsewhere_may_be_moved_to_a_third_pool_instead(rig: Rig) {
        let (ann, ben, cid) = (rig.user().await, rig.user().await, rig.user().await);
        for waits in 0.. {
            let id = rig.account(&ann, 1000).await;
            let before = rig.shown(&ann, id).await.account;
            let moving = rig.store.move_account(&before, there(&before, ben.pool));
            let came_to_its_end = breaks_off(moving, waits).await;
            let is = found(&rig, [&ann, &ben], id).await;
            let moved = rig.store.move_account(&is, there(&is, cid.pool)).await.unwrap();
            assert_eq!(moved, Moving::Done, "after {waits} waits");
            assert_eq!(rig.ask(&cid, 10).only(id).lands_on().await, id, "after {waits} waits");
            assert_eq!(seen(&rig, [&ann, &ben], id).await.len(), 0, "after {waits} waits");
            rig.store.remove_account(id).await.unwrap();
            if came_to_its_end {
                break;
            }
        }
    }
}

// Whoever lets it go last, and is late for the switch, has the mark on what the other one left.
#[tokio::test]
async fn who_comes_late_from_any_step_leaves_it_in_one_pool() {
    let server = Server::shared();
    let rig = Rig::on_url(&server.fresh_url(), Wish::default()).await;
    let mut users = Vec::new();
    for name in ["ann", "ben", "cid"] {
        users.push(rig.store.add_user(name).await.unwrap());
    }
    let pools = [&users[0], &users[1], &users[2]].map(|user| user.pool);
    let mut interleaved = 0;
    for late_by in 0.. {
        let mut late_came_to_its_end = false;
        for ahead_by in 0.. {
            let what = format!("after {late_by} and {ahead_by} waits");
            let id = rig.account(&users[0], 1000).await;
            let before = rig.shown(&users[0], id).await.account;
            let mut late = pin!(rig.store.move_account(&before, there(&before, pools[1])));
            let mut ahead = pin!(rig.store.move_account(&before, there(&before, pools[2])));
            late_came_to_its_end = breaks_off(late.as_mut(), late_by).await;
            let ahead_came_to_its_end = breaks_off(ahead.as_mut(), ahead_by).await;
            if !late_came_to_its_end {
                late.await.unwrap();
            }
            let mut leased = Vec::new();
            for user in &users {
                leased.extend(rig.ask(user, 10).only(id).answer().await.ok());
            }
            if !ahead_came_to_its_end {
                ahead.await.unwrap();
                interleaved += usize::from(!late_came_to_its_end);
            }
            assert!(leased.len() <= 1, "{what} it is leased in two pools");
            for held in &leased {
                rig.settle(held, Charge::Exact(Tokens(7))).await;
            }
            let mut states = seen(&rig, [&users[0], &users[1]], id).await;
            states.extend(rig.store.accounts_in(&pools[2..], &rig.resets()).await.unwrap());
            let [state] = &states[..] else { panic!("{what}: {states:?}") };
            assert_eq!(state.health, Health::Active, "{what}");
            let charged = if leased.is_empty() { 0 } else { 7 };
            assert_eq!(state.windows[0].used, Tokens(charged), "{what}");
            assert!(rig.store.remove_account(id).await.unwrap());
            if late_came_to_its_end || ahead_came_to_its_end {
                break;
            }
        }
        if late_came_to_its_end {
            break;
        }
    }
    assert!(interleaved > 0, "neither was ever late");
}

contract! {
    async fn what_is_leased_while_an_account_moves_to_and_fro_is_charged_once(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        let id = rig.account(&ann, 1_000_000).await;
        let both = [&ann, &ben];
        let done = std::sync::atomic::AtomicBool::new(false);
        let is_done = || done.load(std::sync::atomic::Ordering::Relaxed);
        let caller = |number: usize| {
            let (rig, user) = (&rig, both[number % 2]);
            async move {
                let (mut sum, mut turn) = (0, 0);
                while !is_done() {
                    turn += 1;
                    let Ok(held) = rig.ask(user, 10).answer().await else {
                        tokio::task::yield_now().await;
                        continue;
                    };
                    let exact = 1 + turn % 7;
                    rig.settle(&held, Charge::Exact(Tokens(exact))).await;
                    // Settled again it counts no more.
                    rig.settle(&held, Charge::Exact(Tokens(exact))).await;
                    sum += exact;
                    // So that it is ever without a lease.
                    tokio::time::sleep(Duration::from_micros(300 * (turn % 4))).await;
                }
                sum
            }
        };
        let mover = async {
            let (mut at, mut moves) = (0, 0);
            for _ in 0..3000 {
                match move_to(&rig, both[at], id, both[1 - at]).await {
                    Moving::Done => (at, moves) = (1 - at, moves + 1),
                    Moving::Busy => tokio::task::yield_now().await,
                    Moving::Stale => panic!("nobody else moves it"),
                }
                if moves == 20 {
                    break;
                }
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            (at, moves)
        };
        let (sums, (at, moves)) =
            tokio::join!(futures_util::future::join_all((0..4).map(caller)), mover);
        assert!(moves > 1, "it moved {moves} times");
        let state = rig.shown(both[at], id).await;
        assert_eq!((state.windows[0].used.0, state.leased), (sums.iter().sum(), Tokens::ZERO));
    }
}
