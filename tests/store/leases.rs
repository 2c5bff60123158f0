//! Which account a lease lands on.

use std::time::Duration;

use tributary::accounts::{Charge, Refusal, Tokens, WindowSpec};

use crate::contract;
use crate::rig::{day, fresh_id, hours};

contract! {
    async fn the_account_with_the_most_left_gets_the_lease(rig: Rig) {
        let ann = rig.user().await;
        rig.account(&ann, 900).await;
        let rich = rig.account(&ann, 1000).await;
        rig.account(&ann, 800).await;
        let held = rig.ask(&ann, 10).held().await;
        assert_eq!(held.grant.account, rich);
        assert_eq!(held.grant.remaining, Some(1000));
        assert_eq!(held.grant.candidates, Some(3));
    }
}

contract! {
    async fn the_tightest_window_decides_what_is_left(rig: Rig) {
        let ann = rig.user().await;
        rig.account_with(&ann, "qwen", vec![day(1000), hours(5, 100)]).await;
        let even = rig.account_with(&ann, "qwen", vec![day(200), hours(5, 300)]).await;
        let held = rig.ask(&ann, 10).held().await;
        assert_eq!((held.grant.account, held.grant.remaining), (even, Some(200)));
    }
}

contract! {
    async fn what_is_leased_is_not_given_twice(rig: Rig) {
        let ann = rig.user().await;
        let first = rig.account(&ann, 100).await;
        let second = rig.account(&ann, 95).await;
        assert_eq!(rig.ask(&ann, 10).lands_on().await, first);
        assert_eq!(rig.ask(&ann, 10).lands_on().await, second);
        assert_eq!(rig.ask(&ann, 10).lands_on().await, first);
        let state = rig.shown(&ann, first).await;
        assert_eq!((state.leased, state.remaining()), (Tokens(20), Some(80)));
        assert_eq!(state.last_used_at, Some(rig.now()));
    }
}

contract! {
    async fn an_account_without_a_limit_counts_as_the_richest(rig: Rig) {
        let ann = rig.user().await;
        rig.account(&ann, 1_000_000_000).await;
        let free = rig.account_with(&ann, "qwen", vec![]).await;
        let unknown = WindowSpec { limit: None, ..day(0) };
        let also_free = rig.account_with(&ann, "qwen", vec![unknown]).await;
        let held = rig.ask(&ann, 5).held().await;
        assert_eq!((held.grant.account, held.grant.remaining), (free, None));
        assert_eq!(rig.ask(&ann, 5).lands_on().await, also_free);
        rig.settle(&held, Charge::Exact(Tokens(7))).await;
        assert_eq!(rig.ask(&ann, 5).lands_on().await, free);
    }
}

contract! {
    async fn ties_go_to_the_fewest_leases_in_flight_then_to_the_longest_unused(rig: Rig) {
        let ann = rig.user().await;
        let mut all = Vec::new();
        for _ in 0..3 {
            all.push(rig.account_with(&ann, "qwen", vec![]).await);
        }
        let mut held = Vec::new();
        for expected in &all {
            rig.pass(Duration::from_millis(1));
            held.push(rig.ask(&ann, 10).held().await);
            assert_eq!(held.last().unwrap().grant.account, *expected);
        }
        // All have one in flight; the second then has none.
        rig.settle(&held[1], Charge::Release).await;
        assert_eq!(rig.ask(&ann, 10).lands_on().await, all[1]);
        // All have one again; the first was used the longest ago.
        assert_eq!(rig.ask(&ann, 10).lands_on().await, all[0]);
    }
}

contract! {
    async fn a_pin_never_moves_to_another_account(rig: Rig) {
        let ann = rig.user().await;
        rig.account(&ann, 1000).await;
        let pinned = rig.account(&ann, 20).await;
        let held = rig.ask(&ann, 15).only(pinned).held().await;
        assert_eq!(held.grant.account, pinned);
        assert_eq!(held.grant.candidates, Some(1));
        assert_eq!(rig.ask(&ann, 15).only(pinned).refused().await, Refusal::Busy);
    }
}

contract! {
    async fn accounts_that_were_tried_are_passed_over(rig: Rig) {
        let ann = rig.user().await;
        let mut all = Vec::new();
        for limit in [500, 400, 300] {
            all.push(rig.account(&ann, limit).await);
        }
        let held = rig.ask(&ann, 10).except(&all[..2]).held().await;
        assert_eq!(held.grant.account, all[2]);
        assert_eq!(held.grant.candidates, Some(1));
    }
}

contract! {
    async fn a_blocked_model_is_passed_over_until_its_block_ends(rig: Rig) {
        let ann = rig.user().await;
        let rich = rig.account(&ann, 1000).await;
        let poor = rig.account(&ann, 500).await;
        rig.block(rich, "qwen-max", 60).await;
        assert_eq!(rig.ask(&ann, 1).model("qwen-max").lands_on().await, poor);
        assert_eq!(rig.ask(&ann, 1).model("qwen-plus").lands_on().await, rich);
        rig.pass_secs(60);
        assert_eq!(rig.ask(&ann, 1).model("qwen-max").lands_on().await, rich);
    }
}

contract! {
    async fn a_block_stays_when_another_accounts_block_ends(rig: Rig) {
        let ann = rig.user().await;
        let mut all = Vec::new();
        for secs in [60, 90] {
            all.push(rig.account(&ann, 1000).await);
            rig.block(all[all.len() - 1], "qwen-max", secs).await;
        }
        rig.pass_secs(60);
        rig.sweep().await;
        for _ in 0..2 {
            assert_eq!(rig.ask(&ann, 1).model("qwen-max").lands_on().await, all[0]);
        }
    }
}

contract! {
    async fn a_request_that_fits_nowhere_may_go_alone(rig: Rig) {
        let ann = rig.user().await;
        let rich = rig.account(&ann, 100).await;
        let poor = rig.account(&ann, 60).await;
        assert_eq!(rig.ask(&ann, 70).lands_on().await, rich);
        // Nothing fits 70 now; the second has most left of those that nobody uses.
        assert_eq!(rig.ask(&ann, 70).lands_on().await, poor);
        assert_eq!(rig.ask(&ann, 70).refused().await, Refusal::Busy);
        // What fits beside an open lease still goes there.
        assert_eq!(rig.ask(&ann, 30).lands_on().await, rich);
    }
}

contract! {
    async fn asking_again_with_an_open_id_holds_nothing_more(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        rig.account(&ann, 100).await;
        let id = fresh_id();
        let first = rig.ask(&ann, 30).id(id).held().await;
        let again = rig.ask(&ann, 30).id(id).held().await;
        assert_eq!(first.grant, again.grant);
        assert_eq!(rig.shown(&ann, one).await.leased, Tokens(30));
    }
}

contract! {
    async fn a_lease_never_lands_outside_its_pool_and_platform(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        let anns = rig.account(&ann, 100).await;
        rig.account(&ben, 1_000_000).await;
        let openai = rig.account_with(&ann, "openai", vec![]).await;
        assert_eq!(rig.ask(&ann, 10).lands_on().await, anns);
        assert_eq!(rig.ask(&ann, 10).platform("openai").lands_on().await, openai);
    }
}
