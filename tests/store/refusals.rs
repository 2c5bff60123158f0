//! Why a pool grants no lease, and when it is worth asking again.

use tributary::accounts::{Charge, Health, Refusal, Tokens};

use crate::contract;
use crate::rig::{MIDNIGHT, Rig, at, day, hours};

async fn use_up(rig: &Rig, user: &tributary::accounts::User, tokens: u64) {
    let held = rig.ask(user, tokens).held().await;
    rig.settle(&held, Charge::Exact(Tokens(tokens))).await;
}

contract! {
    async fn a_pool_that_is_used_up_says_when_the_first_account_resets(rig: Rig) {
        let ann = rig.user().await;
        rig.account_with(&ann, "qwen", vec![day(100)]).await;
        rig.account_with(&ann, "qwen", vec![hours(5, 100)]).await;
        use_up(&rig, &ann, 100).await;
        use_up(&rig, &ann, 100).await;
        let refusal = rig.ask(&ann, 1).refused().await;
        // Midnight in Shanghai comes after four hours.
        assert_eq!(refusal, Refusal::Exhausted { resets_at: Some(at(MIDNIGHT)) });
        rig.set(MIDNIGHT);
        rig.ask(&ann, 1).held().await;
    }
}

contract! {
    async fn an_account_with_two_spent_windows_returns_with_the_later(rig: Rig) {
        let ann = rig.user().await;
        rig.account_with(&ann, "qwen", vec![day(100), hours(5, 100)]).await;
        use_up(&rig, &ann, 100).await;
        let five_hours = rig.now() + jiff::SignedDuration::from_hours(5);
        let refusal = rig.ask(&ann, 1).refused().await;
        assert_eq!(refusal, Refusal::Exhausted { resets_at: Some(five_hours) });
        rig.set(MIDNIGHT);
        let refusal = rig.ask(&ann, 1).refused().await;
        assert_eq!(refusal, Refusal::Exhausted { resets_at: Some(five_hours) });
    }
}

contract! {
    async fn tokens_that_are_leased_make_it_busy(rig: Rig) {
        let ann = rig.user().await;
        rig.account(&ann, 100).await;
        let held = rig.ask(&ann, 100).held().await;
        assert_eq!(rig.ask(&ann, 1).refused().await, Refusal::Busy);
        rig.settle(&held, Charge::Exact(Tokens(100))).await;
        assert!(matches!(rig.ask(&ann, 1).refused().await, Refusal::Exhausted { .. }));
    }
}

contract! {
    async fn a_pool_that_rests_says_when_the_first_account_returns(rig: Rig) {
        let ann = rig.user().await;
        let first = rig.account(&ann, 100).await;
        let second = rig.account(&ann, 100).await;
        rig.cool(first, 60, false).await;
        rig.cool(second, 30, false).await;
        let until = rig.now() + jiff::SignedDuration::from_secs(30);
        assert_eq!(rig.ask(&ann, 1).refused().await, Refusal::Cooling { until });
        let only_first = rig.ask(&ann, 1).only(first).refused().await;
        let until_first = rig.now() + jiff::SignedDuration::from_secs(60);
        assert_eq!(only_first, Refusal::Cooling { until: until_first });
        rig.pass_secs(30);
        assert_eq!(rig.ask(&ann, 1).lands_on().await, second);
        assert_eq!(rig.shown(&ann, second).await.health, Health::Active);
    }
}

contract! {
    async fn an_account_that_rests_for_its_quota_counts_as_used_up(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        rig.cool(one, 60, true).await;
        let resets_at = Some(rig.now() + jiff::SignedDuration::from_secs(60));
        assert_eq!(rig.ask(&ann, 1).refused().await, Refusal::Exhausted { resets_at });
    }
}

contract! {
    async fn one_account_that_rests_makes_a_spent_pool_cooling(rig: Rig) {
        let ann = rig.user().await;
        rig.account(&ann, 100).await;
        use_up(&rig, &ann, 100).await;
        let resting = rig.account(&ann, 100).await;
        rig.cool(resting, 60, false).await;
        let until = rig.now() + jiff::SignedDuration::from_secs(60);
        assert_eq!(rig.ask(&ann, 1).refused().await, Refusal::Cooling { until });
        let tried = rig.ask(&ann, 1).except(&[resting]).refused().await;
        assert_eq!(tried, Refusal::Exhausted { resets_at: Some(at(MIDNIGHT)) });
    }
}

contract! {
    async fn accounts_that_need_a_person_are_named(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        let health = Health::Expired { reason: "invalid_grant".into() };
        rig.store.set_health(one, health.clone()).await.unwrap().unwrap();
        let refusal = rig.ask(&ann, 1).refused().await;
        assert_eq!(refusal, Refusal::Unauthorized { account: one, status: "expired" });
        assert_eq!(rig.shown(&ann, one).await.health, health);
        rig.store.set_health(one, Health::Active).await.unwrap().unwrap();
        assert_eq!(rig.ask(&ann, 1).lands_on().await, one);
    }
}

contract! {
    async fn a_pool_without_an_account_for_it_says_so(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        assert_eq!(rig.ask(&ann, 1).refused().await, Refusal::NoAccount);
        let anns = rig.account(&ann, 100).await;
        let bens = rig.account(&ben, 100).await;
        assert_eq!(rig.ask(&ann, 1).platform("glm").refused().await, Refusal::NoAccount);
        assert_eq!(rig.ask(&ann, 1).except(&[anns]).refused().await, Refusal::NoAccount);
        assert_eq!(rig.ask(&ann, 1).only(bens).refused().await, Refusal::NoAccount);
    }
}

contract! {
    async fn a_model_that_is_blocked_everywhere_is_used_up_until_the_first_block_ends(rig: Rig) {
        let ann = rig.user().await;
        for secs in [90, 60] {
            let one = rig.account(&ann, 100).await;
            rig.block(one, "qwen-max", secs).await;
        }
        let resets_at = Some(rig.now() + jiff::SignedDuration::from_secs(60));
        let refusal = rig.ask(&ann, 1).model("qwen-max").refused().await;
        assert_eq!(refusal, Refusal::Exhausted { resets_at });
    }
}

contract! {
    async fn a_reset_that_is_due_behind_many_others_is_seen_before_anyone_is_overdrawn(rig: Rig) {
        let ann = rig.user().await;
        for _ in 0..100 {
            rig.account(&ann, 10).await;
            use_up(&rig, &ann, 10).await;
        }
        // It resets in the same instant, and its name comes last in any order.
        let rich = rig.account(&ann, 100).await;
        use_up(&rig, &ann, 100).await;
        rig.set(MIDNIGHT);
        assert_eq!(rig.ask(&ann, 50).lands_on().await, rich);
    }
}

contract! {
    async fn many_resets_at_once_are_all_seen_before_anyone_is_refused(rig: Rig) {
        let ann = rig.user().await;
        for _ in 0..200 {
            rig.account(&ann, 100).await;
            use_up(&rig, &ann, 100).await;
        }
        assert!(matches!(rig.ask(&ann, 1).refused().await, Refusal::Exhausted { .. }));
        rig.set(MIDNIGHT);
        for _ in 0..200 {
            let held = rig.ask(&ann, 100).held().await;
            assert_eq!(held.grant.remaining, Some(100));
        }
        assert_eq!(rig.ask(&ann, 1).refused().await, Refusal::Busy);
    }
}
