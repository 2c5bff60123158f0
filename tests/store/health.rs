//! How calls move an account's health: only down when they fail, and up when they succeed.

use jiff::SignedDuration;
use tributary::accounts::{Health, Refusal};

use crate::contract;
use crate::rig::Rig;

fn cooling(rig: &Rig, secs: i64, out_of_quota: bool) -> Health {
    let until = rig.now() + SignedDuration::from_secs(secs);
    Health::Cooling { until, reason: format!("{secs} s"), out_of_quota }
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
            for (worse, is) in [
                (&short, &short),
                (&long, &long),
                (&short, &long),
                (&Health::Active, &long),
                (&stuck, &stuck),
                (&long, &stuck),
                (&Health::Expired { reason: "later".into() }, &stuck),
                (&Health::Active, &stuck),
            ] {
                rig.store.worsen(one, worse.clone()).await.unwrap();
                assert_eq!(rig.shown(&ann, one).await.health, *is);
            }
        }
        // People may do anything.
        rig.store.set_health(one, cooling(&rig, 5, false)).await.unwrap().unwrap();
        assert_eq!(rig.shown(&ann, one).await.health, cooling(&rig, 5, false));
    }
}

contract! {
    async fn a_pause_that_is_over_gives_way_to_any(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        rig.store.worsen(one, cooling(&rig, 60, true)).await.unwrap();
        rig.pass_secs(60);
        let next = cooling(&rig, 1, false);
        rig.store.worsen(one, next.clone()).await.unwrap();
        assert_eq!(rig.shown(&ann, one).await.health, next);
        let until = rig.now() + SignedDuration::from_secs(1);
        assert_eq!(rig.ask(&ann, 1).refused().await, Refusal::Cooling { until });
        let unknown = tributary::accounts::AccountId(12345);
        rig.store.worsen(unknown, next).await.unwrap();
        rig.store.recovered(unknown).await.unwrap();
    }
}

contract! {
    async fn a_success_ends_a_pause_but_not_a_spent_quota(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        rig.store.worsen(one, cooling(&rig, 600, false)).await.unwrap();
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
        for (until, resets_at) in [(short, short), (long, long), (short, long)] {
            rig.store.block_model(one, "qwen-max", until).await.unwrap();
            let refusal = rig.ask(&ann, 1).model("qwen-max").refused().await;
            assert_eq!(refusal, Refusal::Exhausted { resets_at: Some(resets_at) });
        }
        rig.pass_secs(60);
        rig.sweep().await;
        assert_eq!(rig.ask(&ann, 1).model("qwen-max").lands_on().await, one);
    }
}
