//! What each policy picks; that it moves nothing else is for the crowd and the model.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tributary::accounts::{
    AccountId, Charge, Conversation, Policy, Priority, Refusal, Tokens, User,
};

use crate::contract;
use crate::rig::{Held, Rig, hours};

contract! {
    async fn a_pool_picks_by_most_left_until_it_is_told_otherwise(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        assert_eq!(rig.store.pool_policy(ann.pool).await.unwrap(), None);
        assert_eq!(rig.store.policy(ann.pool).await.unwrap(), Policy::MostRemaining);
        for policy in Policy::ALL {
            rig.set_policy(&ann, policy).await;
            assert_eq!(rig.store.pool_policy(ann.pool).await.unwrap(), Some(policy));
            assert_eq!(rig.store.policy(ann.pool).await.unwrap(), policy);
        }
        assert_eq!(rig.store.policy(ben.pool).await.unwrap(), Policy::MostRemaining);
        rig.store.set_pool_policy(ann.pool, None).await.unwrap();
        assert_eq!(rig.store.pool_policy(ann.pool).await.unwrap(), None);
        assert_eq!(rig.store.policy(ann.pool).await.unwrap(), Policy::MostRemaining);
    }
}

contract! {
    async fn a_grant_names_the_policy_and_a_pin_has_none(rig: Rig) {
        for policy in Policy::ALL {
            let ann = rig.user_with(policy).await;
            let only = rig.account(&ann, 1000).await;
            let held = rig.ask(&ann, 10).held().await;
            assert_eq!((held.grant.policy, held.grant.stayed), (Some(policy), false));
            let held = rig.ask(&ann, 10).conversation(1).only(only).held().await;
            assert_eq!((held.grant.policy, held.grant.stayed), (None, false));
        }
    }
}

contract! {
    async fn the_smallest_priority_that_has_quota_goes_first(rig: Rig) {
        let ann = rig.user_with(Policy::Priority).await;
        rig.account_at(&ann, 1_000_000, 60).await;
        let first = rig.account_at(&ann, 100, 3).await;
        let second = rig.account_at(&ann, 500, 20).await;
        let also_second = rig.account_at(&ann, 450, 20).await;
        assert_eq!(rig.ask(&ann, 60).lands_on().await, first);
        // 40 are left there: too few. Of equal ones that with the most left.
        assert_eq!(rig.ask(&ann, 60).lands_on().await, second);
        assert_eq!(rig.ask(&ann, 60).lands_on().await, also_second);
        assert_eq!(rig.ask(&ann, 40).lands_on().await, first);
        assert_eq!(rig.ask(&ann, 40).lands_on().await, second);
    }
}

contract! {
    async fn a_priority_may_change(rig: Rig) {
        let ann = rig.user_with(Policy::Priority).await;
        let one = rig.account(&ann, 1000).await;
        let other = rig.account(&ann, 900).await;
        assert_eq!(rig.shown(&ann, other).await.priority, Priority::default());
        assert_eq!(rig.ask(&ann, 10).lands_on().await, one);
        rig.set_priority(other, 49).await;
        assert_eq!(rig.shown(&ann, other).await.priority, Priority::try_from(49).unwrap());
        assert_eq!(rig.ask(&ann, 10).lands_on().await, other);
        rig.set_priority(one, 0).await;
        assert_eq!(rig.ask(&ann, 10).lands_on().await, one);
        let nobody = AccountId(999_999);
        assert_eq!(rig.store.set_priority(nobody, Priority::LAST).await.unwrap(), None);
    }
}

contract! {
    async fn a_round_takes_the_longest_unused_of_those_that_fit(rig: Rig) {
        let ann = rig.user_with(Policy::RoundRobin).await;
        let mut all = Vec::new();
        // The last is of a class below the request's; the first two are of classes above.
        for limit in [2000, 1_000_000, 900, 600, 100] {
            all.push(rig.account(&ann, limit).await);
        }
        // Unused ones first, the richest of them; then in turn.
        let turns = [all[1], all[0], all[2], all[3]];
        for _ in 0..2 {
            for turn in turns {
                let held = rig.ask(&ann, 300).held().await;
                assert_eq!(held.grant.account, turn);
                rig.settle(&held, Charge::Release).await;
            }
        }
        assert_eq!(rig.ask(&ann, 100).lands_on().await, all[4]);
        assert_eq!(rig.ask(&ann, 1500).lands_on().await, all[1]);
        assert_eq!(rig.ask(&ann, 1500).lands_on().await, all[0]);
    }
}

contract! {
    async fn a_round_of_equals_is_even_whatever_they_cost(rig: Rig) {
        let ann = rig.user_with(Policy::RoundRobin).await;
        for _ in 0..7 {
            rig.account(&ann, 10_000_000).await;
        }
        let mut counts: BTreeMap<AccountId, u64> = BTreeMap::new();
        for turn in 0..70_u64 {
            let held = rig.ask(&ann, 100).held().await;
            // What an answer costs moves nobody's turn.
            rig.settle(&held, Charge::Exact(Tokens(turn * 997 % 5000))).await;
            *counts.entry(held.grant.account).or_default() += 1;
        }
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [10; 7]);
    }
}

contract! {
    async fn what_is_nearly_used_up_does_not_stop_a_round(rig: Rig) {
        let ann = rig.user_with(Policy::RoundRobin).await;
        // More of them than a lease looks at, and all unused.
        for _ in 0..70 {
            rig.account(&ann, 1000).await;
        }
        let mut rich = Vec::new();
        for millions in 1..4 {
            rich.push(rig.account(&ann, millions * 1_000_000).await);
        }
        let mut turns = Vec::new();
        for _ in 0..6 {
            turns.push(rig.ask(&ann, 1100).lands_on().await);
        }
        assert_eq!(turns[..3], turns[3..]);
        turns.truncate(3);
        turns.sort();
        assert_eq!(turns, rich);
    }
}

contract! {
    async fn a_conversation_stays_on_its_account_while_that_has_quota(rig: Rig) {
        let ann = rig.user_with(Policy::Sticky).await;
        for _ in 0..3 {
            rig.account(&ann, 1000).await;
        }
        let first = rig.ask(&ann, 300).conversation(7).held().await;
        let home = first.grant.account;
        assert_eq!((first.grant.policy, first.grant.stayed), (Some(Policy::Sticky), false));
        rig.settle(&first, Charge::Exact(Tokens(300))).await;
        for _ in 0..2 {
            // The others have more left.
            let held = rig.ask(&ann, 300).conversation(7).held().await;
            assert_eq!((held.grant.account, held.grant.stayed), (home, true));
            rig.settle(&held, Charge::Exact(Tokens(300))).await;
            assert_ne!(rig.ask(&ann, 1).lands_on().await, home);
        }
        // 100 are left: it moves, and stays where it came.
        let moved = rig.ask(&ann, 300).conversation(7).held().await;
        assert_ne!(moved.grant.account, home);
        assert!(!moved.grant.stayed);
        rig.settle(&moved, Charge::Exact(Tokens(300))).await;
        let held = rig.ask(&ann, 50).conversation(7).held().await;
        assert_eq!((held.grant.account, held.grant.stayed), (moved.grant.account, true));
    }
}

contract! {
    async fn conversations_and_pools_are_told_apart(rig: Rig) {
        let (ann, ben) = (rig.user_with(Policy::Sticky).await, rig.user_with(Policy::Sticky).await);
        for user in [&ann, &ben] {
            for _ in 0..2 {
                rig.account(user, 1000).await;
            }
        }
        let seven = rig.ask(&ann, 100).conversation(7).lands_on().await;
        let eight = rig.ask(&ann, 100).conversation(8).lands_on().await;
        assert_ne!(seven, eight);
        assert!(!rig.ask(&ben, 100).conversation(7).held().await.grant.stayed);
        for _ in 0..3 {
            assert_eq!(rig.ask(&ann, 10).conversation(8).lands_on().await, eight);
            assert_eq!(rig.ask(&ann, 10).conversation(7).lands_on().await, seven);
        }
    }
}

contract! {
    async fn a_conversation_leaves_an_account_that_cannot_serve_it(rig: Rig) {
        let ann = rig.user_with(Policy::Sticky).await;
        for _ in 0..5 {
            rig.account(&ann, 100_000).await;
        }
        let ask = || rig.ask(&ann, 10).conversation(7);
        let cooling = ask().lands_on().await;
        rig.cool(cooling, 60, false).await;
        let blocked = ask().lands_on().await;
        assert_ne!(blocked, cooling);
        rig.block(blocked, "qwen-plus", 60).await;
        let tried = ask().lands_on().await;
        assert!(![cooling, blocked].contains(&tried));
        let removed = ask().except(&[tried]).lands_on().await;
        assert!(![cooling, blocked, tried].contains(&removed));
        assert!(rig.store.remove_account(removed).await.unwrap());
        let last = ask().lands_on().await;
        assert!(![cooling, blocked, removed].contains(&last));
        // It does not go back to any that can again.
        rig.pass_secs(60);
        rig.sweep().await;
        let held = ask().held().await;
        assert_eq!((held.grant.account, held.grant.stayed), (last, true));
    }
}

contract! {
    async fn a_pin_does_not_move_its_conversation(rig: Rig) {
        let ann = rig.user_with(Policy::Sticky).await;
        let one = rig.account(&ann, 1000).await;
        let other = rig.account(&ann, 900).await;
        assert_eq!(rig.ask(&ann, 10).conversation(7).lands_on().await, one);
        assert_eq!(rig.ask(&ann, 10).conversation(7).only(other).lands_on().await, other);
        assert_eq!(rig.ask(&ann, 10).conversation(7).lands_on().await, one);
    }
}

contract! {
    async fn a_conversation_that_is_silent_for_an_hour_is_forgotten(rig: Rig) {
        let ann = rig.user_with(Policy::Sticky).await;
        for _ in 0..2 {
            rig.account_with(&ann, "qwen", vec![hours(24, 1000)]).await;
        }
        let pass = async |time: Duration| {
            rig.pass(time);
            rig.sweep().await;
        };
        let held = rig.ask(&ann, 400).conversation(7).held().await;
        rig.settle(&held, Charge::Exact(Tokens(400))).await;
        for _ in 0..2 {
            pass(Conversation::FRESH - Duration::from_secs(1)).await;
            let again = rig.ask(&ann, 10).conversation(7).held().await;
            assert_eq!((again.grant.account, again.grant.stayed), (held.grant.account, true));
            rig.settle(&again, Charge::Release).await;
        }
        // Also without a sweep.
        rig.pass(Conversation::FRESH);
        let late = rig.ask(&ann, 10).conversation(7).held().await;
        assert_ne!(late.grant.account, held.grant.account);
        assert!(!late.grant.stayed);
    }
}

contract! {
    async fn a_change_of_policy_takes_hold_at_once_and_of_every_account(rig: Rig) {
        let ann = rig.user().await;
        let mut all = Vec::new();
        // More than one script brings to their places.
        for index in 0..150 {
            all.push(rig.account_at(&ann, 1000 + index, 99).await);
        }
        rig.set_priority(all[30], 1).await;
        assert_eq!(rig.ask(&ann, 10).lands_on().await, all[149]);
        rig.set_policy(&ann, Policy::Priority).await;
        assert_eq!(rig.ask(&ann, 10).lands_on().await, all[30]);
        rig.set_policy(&ann, Policy::RoundRobin).await;
        let mut used = Vec::new();
        for _ in 0..150 {
            used.push(rig.ask(&ann, 10).lands_on().await);
        }
        // Those two were used before.
        assert_eq!(used[148..], [all[149], all[30]]);
        used.sort();
        assert_eq!(used, all);
        rig.set_policy(&ann, Policy::Priority).await;
        assert_eq!(rig.ask(&ann, 10).lands_on().await, all[30]);
        rig.store.set_pool_policy(ann.pool, None).await.unwrap();
        // Of the two richest the other has leased once.
        assert_eq!(rig.ask(&ann, 10).lands_on().await, all[148]);
    }
}

contract! {
    async fn a_policy_holds_for_a_model_that_is_blocked_on_many(rig: Rig) {
        // From the 32nd block on the model has orders of its own.
        let order = async |policy: Policy| {
            let ann = rig.user_with(policy).await;
            let mut all = Vec::new();
            for index in 0..40_u8 {
                all.push(rig.account_at(&ann, 10_000, index).await);
            }
            for &id in &all[..35] {
                rig.block(id, "qwen-plus", 60).await;
            }
            let mut picked = Vec::new();
            for _ in 0..6 {
                picked.push(rig.ask(&ann, 10).lands_on().await);
            }
            rig.pass_secs(60);
            rig.sweep().await;
            picked.push(rig.ask(&ann, 10).lands_on().await);
            rig.pass_back(Duration::from_secs(60));
            (all, picked)
        };
        let (all, picked) = order(Policy::Priority).await;
        assert_eq!(picked, [all[35], all[35], all[35], all[35], all[35], all[35], all[0]]);
        let (all, mut picked) = order(Policy::RoundRobin).await;
        assert!(all[..35].contains(&picked.pop().unwrap()));
        assert_eq!(picked[0], picked[5]);
        picked.pop();
        picked.sort();
        assert_eq!(picked, all[35..]);
    }
}

/// Many tasks at once ask for most of what there is.
async fn rush(rig: &Arc<Rig>, user: &User) -> Vec<Result<Held, Refusal>> {
    let mut tasks = JoinSet::new();
    for task in 0..64_u64 {
        let (rig, user) = (rig.clone(), user.clone());
        tasks.spawn(async move {
            let mut answers = Vec::new();
            for turn in 0..6 {
                let estimate = 1 + (task * 31 + turn * 97) % 300;
                let ask = rig.ask(&user, estimate).conversation(task % 9);
                answers.push(ask.answer().await);
            }
            answers
        });
    }
    tasks.join_all().await.concat()
}

contract! {
    async fn under_no_policy_does_a_grant_pass_a_limit(rig: Rig) {
        let rig = Arc::new(rig);
        for policy in Policy::ALL {
            let ann = rig.user_with(policy).await;
            for index in 0..5 {
                rig.account_at(&ann, 1000, index).await;
            }
            let answers = rush(&rig, &ann).await;
            let refused = answers.iter().filter_map(|one| one.as_ref().err());
            assert!(refused.clone().count() > 0 && refused.clone().all(|one| *one == Refusal::Busy));
            let mut leased: HashMap<AccountId, u64> = HashMap::new();
            for held in answers.iter().flatten() {
                assert!(held.key.estimate.signed() <= held.grant.remaining.unwrap(), "{held:?}");
                *leased.entry(held.grant.account).or_default() += held.key.estimate.0;
            }
            for state in rig.store.accounts_in(&[ann.pool], &rig.resets()).await.unwrap() {
                let sum = leased.get(&state.account.id).copied().unwrap_or_default();
                assert_eq!(state.leased, Tokens(sum), "{policy}");
                assert!(sum <= 1000, "{policy}: {sum} of 1000 leased");
            }
            let all: u64 = leased.values().sum();
            assert!(all > 4000, "{policy}: {all} of 5000 leased");
        }
    }
}

contract! {
    async fn in_a_crowd_a_round_differs_by_one_at_most(rig: Rig) {
        let ann = rig.user_with(Policy::RoundRobin).await;
        for _ in 0..10 {
            rig.account(&ann, 1_000_000).await;
        }
        let held: Vec<Held> = rush(&Arc::new(rig), &ann).await.into_iter().flatten().collect();
        let mut counts: HashMap<AccountId, usize> = HashMap::new();
        for one in &held {
            *counts.entry(one.grant.account).or_default() += 1;
        }
        assert_eq!(held.len(), 384);
        assert!(counts.values().all(|count| (38..=39).contains(count)), "{counts:?}");
    }
}

contract! {
    async fn in_a_crowd_each_conversation_is_on_one_account(rig: Rig) {
        let ann = rig.user_with(Policy::Sticky).await;
        for _ in 0..10 {
            rig.account(&ann, 1_000_000).await;
        }
        let rig = Arc::new(rig);
        let held: Vec<Held> = rush(&rig, &ann).await.into_iter().flatten().collect();
        // Nine conversations, each first somewhere.
        assert_eq!(held.iter().filter(|one| !one.grant.stayed).count(), 9);
        let homes: std::collections::HashSet<AccountId> =
            held.iter().map(|one| one.grant.account).collect();
        assert!(homes.len() > 5 && homes.len() <= 9, "{homes:?}");
    }
}
