//! How calls move an account's health: only down when they fail, and up when they succeed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tributary::accounts::{
    AccountId, Charge, EARLY_TRY, Harm, Health, Refusal, Rest, Scale, Tokens, User,
};

use crate::contract;
use crate::rig::{Held, Rig, at, day};

fn secs(secs: i64) -> SignedDuration {
    SignedDuration::from_secs(secs)
}

fn rest(secs: u64, out_of_quota: bool) -> Harm {
    let rest = Rest::after(Duration::from_secs(secs));
    Harm::Rest { rest, reason: format!("{secs} s"), out_of_quota }
}

/// Cooling as [`rest`] leaves it, when it comes now.
fn cooling(rig: &Rig, secs: i64, out_of_quota: bool) -> Health {
    let until = rig.now() + SignedDuration::from_secs(secs);
    Health::Cooling { until, reason: format!("{secs} s"), out_of_quota, tries_at: None }
}

/// Two are forgiven, then 5 s, 10 s, 20 s, at most 30.
fn strike() -> Harm {
    let second = Duration::from_secs;
    let scale = Scale { forgiven: 2, first: second(5), longest: second(30) };
    Harm::Strike { scale, reason: "it broke".into(), out_of_quota: false }
}

async fn until(rig: &Rig, user: &User, id: AccountId) -> Option<Timestamp> {
    match rig.shown(user, id).await.health {
        Health::Cooling { until, .. } => Some(until),
        _ => None,
    }
}

/// An account that failures sent to rest, whose pause has just ended.
async fn rested(rig: &Rig, user: &User, limit: u64) -> AccountId {
    let one = rig.account(user, limit).await;
    for _ in 0..3 {
        rig.harm(one, strike()).await;
    }
    rig.pass_secs(5);
    one
}

contract! {
    async fn the_mildest_of_several_failures_never_has_the_last_word(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        let reason = String::from("so it was");
        for stuck in [
            Health::Expired { reason: reason.clone() },
            Health::Banned { reason: reason.clone() },
            Health::Locked { reason: reason.clone() },
            Health::Disabled { reason: reason.clone() },
        ] {
            rig.store.set_health(one, Health::Active).await.unwrap().unwrap();
            let (short, long) = (cooling(&rig, 10, false), cooling(&rig, 3600, true));
            for (worse, moves, is) in [
                (rest(10, false), true, &short),
                (rest(3600, true), true, &long),
                (rest(10, false), false, &long),
                (Harm::Stuck(Health::Active), false, &long),
                (Harm::Stuck(stuck.clone()), true, &stuck),
                (rest(3600, true), false, &stuck),
                (Harm::Stuck(Health::Expired { reason: "later".into() }), false, &stuck),
                (Harm::Stuck(Health::Active), false, &stuck),
            ] {
                assert_eq!(rig.harm(one, worse).await, moves);
                assert_eq!(rig.shown(&ann, one).await.health, *is);
            }
        }
        // People may do anything.
        rig.store.set_health(one, cooling(&rig, 5, false)).await.unwrap().unwrap();
        assert_eq!(rig.shown(&ann, one).await.health, cooling(&rig, 5, false));
    }
}

contract! {
    async fn what_was_seen_is_amended_and_nothing_else(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        let banned = Health::Banned { reason: "said so".into() };
        let off = Health::disabled_by_hand();
        let amend = |seen: &Health, health: &Health| {
            let (store, seen, health) = (rig.store.clone(), seen.clone(), health.clone());
            async move { store.amend_health(one, &seen, health).await.unwrap() }
        };
        assert!(amend(&Health::Active, &banned).await);
        assert!(!amend(&Health::Active, &off).await);
        assert!(!amend(&Health::Banned { reason: "another".into() }, &Health::Active).await);
        assert_eq!(rig.shown(&ann, one).await.health, banned);
        assert!(amend(&banned, &cooling(&rig, 60, true)).await);
        assert!(amend(&cooling(&rig, 60, true), &off).await);
        assert!(!amend(&banned, &Health::Active).await);
        assert_eq!(rig.shown(&ann, one).await.health, off);
        // A pause that is over is seen as none.
        rig.store.set_health(one, cooling(&rig, 5, false)).await.unwrap().unwrap();
        rig.pass_secs(5);
        assert!(amend(&Health::Active, &banned).await);
        assert!(!rig.store.amend_health(AccountId(4711), &banned, off).await.unwrap());
    }
}

contract! {
    async fn a_pause_that_is_over_gives_way_to_any(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        rig.harm(one, rest(60, true)).await;
        rig.pass_secs(60);
        rig.harm(one, rest(1, false)).await;
        assert_eq!(rig.shown(&ann, one).await.health, cooling(&rig, 1, false));
        let until = rig.now() + secs(1);
        assert_eq!(rig.ask(&ann, 1).refused().await, Refusal::Cooling { until });
        let unknown = AccountId(12345);
        assert!(!rig.harm(unknown, rest(1, false)).await);
        rig.store.recovered(unknown).await.unwrap();
    }
}

contract! {
    async fn a_success_ends_a_pause_but_not_a_spent_quota(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        rig.harm(one, rest(600, false)).await;
        rig.store.recovered(one).await.unwrap();
        assert_eq!(rig.shown(&ann, one).await.health, Health::Active);
        assert_eq!(rig.ask(&ann, 1).lands_on().await, one);
        let banned = Health::Banned { reason: "shut".into() };
        for stays in [Health::Active, cooling(&rig, 600, true), banned] {
            rig.store.set_health(one, stays.clone()).await.unwrap().unwrap();
            rig.store.recovered(one).await.unwrap();
            assert_eq!(rig.shown(&ann, one).await.health, stays);
        }
    }
}

contract! {
    async fn a_block_is_never_shortened(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        let end = |secs| rig.now() + SignedDuration::from_secs(secs);
        let (short, long) = (end(10), end(60));
        for (secs, resets_at) in [(10, short), (60, long), (10, long)] {
            rig.block(one, "qwen-max", secs).await;
            let refusal = rig.ask(&ann, 1).model("qwen-max").refused().await;
            assert_eq!(refusal, Refusal::Exhausted { resets_at: Some(resets_at) });
        }
        rig.pass_secs(60);
        rig.sweep().await;
        assert_eq!(rig.ask(&ann, 1).model("qwen-max").lands_on().await, one);
    }
}

contract! {
    async fn a_pause_lasts_to_the_first_instant_ahead_of_the_stores_clock(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        // What a gateway sends whose clock is past midnight already, or not yet near it.
        let midnights = ["2026-11-23T16:00:00Z", "2026-11-24T16:00:00Z", "2026-11-25T16:00:00Z"];
        for around in [&midnights[..], &midnights[1..]] {
            let rest = Rest { at: around.iter().map(|text| at(text)).collect(), after: EARLY_TRY };
            let harm = Harm::Rest { rest, reason: "spent".into(), out_of_quota: true };
            rig.store.set_health(one, Health::Active).await.unwrap().unwrap();
            rig.harm(one, harm).await;
            assert_eq!(until(&rig, &ann, one).await, Some(at(midnights[1])));
        }
        rig.store.set_health(one, Health::Active).await.unwrap().unwrap();
        let rest = Rest { at: vec![at(midnights[0])], after: Duration::from_secs(60) };
        rig.harm(one, Harm::Rest { rest, reason: "past".into(), out_of_quota: false }).await;
        assert_eq!(until(&rig, &ann, one).await, Some(rig.now() + secs(60)));
    }
}

contract! {
    async fn failures_in_a_row_pause_longer_each_time_and_a_success_forgets_them(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 1000).await;
        for _ in 0..2 {
            assert!(!rig.harm(one, strike()).await);
            assert!(!rig.harm(one, strike()).await);
            assert_eq!(rig.shown(&ann, one).await.health, Health::Active);
            for pause in [5, 10, 20, 30, 30] {
                assert!(rig.harm(one, strike()).await);
                assert_eq!(until(&rig, &ann, one).await, Some(rig.now() + secs(pause)));
                rig.pass_secs(pause.unsigned_abs());
            }
            rig.store.recovered(one).await.unwrap();
            assert_eq!(rig.shown(&ann, one).await.health, Health::Active);
        }
    }
}

contract! {
    async fn calls_that_fail_together_are_one_failure(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 1000).await;
        let granted_at = rig.now();
        rig.pass_secs(1);
        for _ in 0..50 {
            assert!(!rig.store.worsen(one, granted_at, strike()).await.unwrap());
        }
        assert_eq!(rig.shown(&ann, one).await.health, Health::Active);
        assert!(!rig.harm(one, strike()).await);
        assert!(rig.harm(one, strike()).await);
    }
}

contract! {
    async fn a_grant_says_whether_its_success_is_worth_telling(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 1000).await;
        assert!(!rig.ask(&ann, 1).held().await.grant.ailing);
        rig.harm(one, strike()).await;
        let held = rig.ask(&ann, 1).held().await;
        assert!(held.grant.ailing);
        assert!(rig.ask(&ann, 1).id(held.key.id).held().await.grant.ailing);
        rig.store.recovered(one).await.unwrap();
        assert!(!rig.ask(&ann, 1).held().await.grant.ailing);
    }
}

contract! {
    async fn one_request_tries_an_account_that_failed_and_the_others_wait(rig: Rig) {
        let ann = rig.user().await;
        let one = rested(&rig, &ann, 1000).await;
        // It is not active before someone succeeded.
        assert!(until(&rig, &ann, one).await.is_some());
        let trial = rig.ask(&ann, 10).held().await;
        assert!(trial.grant.ailing);
        for _ in 0..3 {
            assert_eq!(rig.ask(&ann, 10).refused().await, Refusal::Busy);
            assert_eq!(rig.ask(&ann, 10).only(one).refused().await, Refusal::Busy);
        }
        rig.sweep().await;
        assert_eq!(rig.ask(&ann, 10).refused().await, Refusal::Busy);
        rig.store.recovered(one).await.unwrap();
        assert_eq!(rig.shown(&ann, one).await.health, Health::Active);
        for _ in 0..3 {
            assert!(!rig.ask(&ann, 10).held().await.grant.ailing);
        }
        rig.settle(&trial, Charge::Exact(Tokens(10))).await;
    }
}

contract! {
    async fn while_one_request_tries_the_others_go_elsewhere(rig: Rig) {
        let ann = rig.user().await;
        let sick = rested(&rig, &ann, 1000).await;
        let well = rig.account(&ann, 500).await;
        let trial = rig.ask(&ann, 10).held().await;
        assert_eq!((trial.grant.account, trial.grant.candidates), (sick, Some(2)));
        for _ in 0..3 {
            let held = rig.ask(&ann, 10).held().await;
            assert_eq!((held.grant.account, held.grant.candidates), (well, Some(1)));
        }
    }
}

contract! {
    async fn a_trial_that_fails_begins_the_next_longer_pause(rig: Rig) {
        let ann = rig.user().await;
        let one = rested(&rig, &ann, 1000).await;
        for pause in [10, 20, 30] {
            let trial = rig.ask(&ann, 10).held().await;
            rig.settle(&trial, Charge::Release).await;
            assert!(rig.harm(one, strike()).await);
            let until = rig.now() + secs(pause);
            assert_eq!(rig.ask(&ann, 10).refused().await, Refusal::Cooling { until });
            rig.pass_secs(pause.unsigned_abs());
        }
    }
}

/// Ends a trial without a verdict, in one of its ways.
async fn ends(rig: &Rig, trial: &Held, way: usize) {
    match way {
        0 => rig.settle(trial, Charge::Release).await,
        1 => rig.settle(trial, Charge::Estimated(Tokens(3))).await,
        _ => {
            rig.pass_secs(120);
            assert_eq!(rig.sweep().await, 1);
        }
    }
}

contract! {
    async fn a_trial_that_is_never_heard_of_again_lets_the_next_try(rig: Rig) {
        let ann = rig.user().await;
        let one = rested(&rig, &ann, 1000).await;
        for way in 0..3 {
            let trial = rig.ask(&ann, 10).held().await;
            assert_eq!(trial.grant.account, one);
            assert_eq!(rig.ask(&ann, 10).refused().await, Refusal::Busy);
            ends(&rig, &trial, way).await;
        }
        // A lease that was none of the trial's ends nothing.
        let trial = rig.ask(&ann, 10).held().await;
        rig.store.recovered(one).await.unwrap();
        let other = rig.ask(&ann, 10).held().await;
        for _ in 0..3 {
            rig.harm(one, strike()).await;
        }
        rig.pass_secs(5);
        let next = rig.ask(&ann, 10).held().await;
        rig.settle(&other, Charge::Release).await;
        rig.settle(&trial, Charge::Release).await;
        assert_eq!(rig.ask(&ann, 10).refused().await, Refusal::Busy);
        rig.settle(&next, Charge::Release).await;
        assert_eq!(rig.ask(&ann, 10).lands_on().await, one);
    }
}

contract! {
    async fn a_pause_of_the_platforms_own_length_ends_for_all_at_once(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 1000).await;
        rig.harm(one, rest(30, false)).await;
        rig.pass_secs(30);
        for _ in 0..3 {
            assert!(!rig.ask(&ann, 10).held().await.grant.ailing);
        }
        assert_eq!(rig.shown(&ann, one).await.health, Health::Active);
    }
}

contract! {
    async fn a_spent_quota_is_tried_before_its_reset_by_one_request_an_hour(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account_with(&ann, "qwen", vec![]).await;
        rig.harm(one, rest(5 * 24 * 3600, true)).await;
        let reset = rig.now() + secs(5 * 24 * 3600);
        let resets_at = Some(reset);
        for _ in 0..3 {
            assert_eq!(rig.ask(&ann, 10).refused().await, Refusal::Exhausted { resets_at });
            rig.pass(EARLY_TRY - Duration::from_millis(1));
            rig.sweep().await;
            assert_eq!(rig.ask(&ann, 10).refused().await, Refusal::Exhausted { resets_at });
            rig.pass(Duration::from_millis(1));
            let trial = rig.ask(&ann, 10).held().await;
            assert!(trial.grant.ailing);
            assert_eq!(rig.ask(&ann, 10).refused().await, Refusal::Busy);
            rig.settle(&trial, Charge::Release).await;
            let left = reset.duration_since(rig.now()).unsigned_abs();
            rig.harm(one, rest(left.as_secs(), true)).await;
        }
        // It was reset early: the first success ends the pause for everyone.
        rig.pass(EARLY_TRY);
        assert_eq!(rig.ask(&ann, 10).lands_on().await, one);
        rig.store.recovered(one).await.unwrap();
        for _ in 0..3 {
            assert_eq!(rig.ask(&ann, 10).lands_on().await, one);
        }
        assert_eq!(rig.shown(&ann, one).await.health, Health::Active);
    }
}

contract! {
    async fn an_announced_reset_opens_an_account_that_is_on_trial(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 1000).await;
        rig.harm(one, rest(3 * 3600, true)).await;
        rig.pass(EARLY_TRY);
        rig.ask(&ann, 10).held().await;
        assert_eq!(rig.ask(&ann, 10).refused().await, Refusal::Busy);
        rig.pass_secs(2 * 3600);
        for _ in 0..3 {
            rig.ask(&ann, 10).held().await;
        }
        assert_eq!(rig.shown(&ann, one).await.health, Health::Active);
    }
}

contract! {
    async fn a_persons_word_wipes_the_slate(rig: Rig) {
        let ann = rig.user().await;
        let one = rested(&rig, &ann, 1000).await;
        rig.ask(&ann, 10).held().await;
        rig.store.set_health(one, Health::Active).await.unwrap().unwrap();
        assert!(!rig.ask(&ann, 10).held().await.grant.ailing);
        assert!(!rig.harm(one, strike()).await);
    }
}

contract! {
    async fn an_account_on_trial_keeps_to_its_windows(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account_with(&ann, "qwen", vec![day(20)]).await;
        let held = rig.ask(&ann, 15).held().await;
        for _ in 0..3 {
            rig.harm(one, strike()).await;
        }
        rig.pass_secs(5);
        // Five are left, and someone else still holds the rest.
        assert_eq!(rig.ask(&ann, 10).refused().await, Refusal::Busy);
        rig.settle(&held, Charge::Exact(Tokens(20))).await;
        assert!(matches!(rig.ask(&ann, 1).refused().await, Refusal::Exhausted { .. }));
    }
}
