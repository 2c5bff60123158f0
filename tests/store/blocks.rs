//! A model that is blocked on many accounts: what is found, and that nothing is lost.

use std::collections::{BTreeSet, HashMap};

use tributary::accounts::{AccountId, Charge, Health, Refusal, Tokens, User};

use crate::contract;
use crate::rig::Rig;

const MODEL: &str = "qwen-max";

/// Accounts with falling limits, all but the last few blocked for the model.
async fn mostly_blocked(rig: &Rig, user: &User, free: usize) -> (Vec<AccountId>, Vec<AccountId>) {
    let mut all = Vec::new();
    for rank in 0..50 {
        all.push(rig.account(user, 10_000 - 100 * rank).await);
    }
    let free = all.split_off(50 - free);
    for &account in &all {
        rig.block(account, MODEL, 600).await;
    }
    (all, free)
}

contract! {
    async fn the_best_that_is_not_blocked_is_found_behind_many_that_are(rig: Rig) {
        let ann = rig.user().await;
        let (blocked, free) = mostly_blocked(&rig, &ann, 5).await;
        for _ in 0..3 {
            let held = rig.ask(&ann, 1000).model(MODEL).held().await;
            assert_eq!(held.grant.account, free[0]);
            rig.settle(&held, Charge::Release).await;
        }
        // As it is leased the next one is the best.
        let landed: BTreeSet<_> = lands(&rig, &ann, 5, 1000).await.into_iter().collect();
        assert_eq!(landed, free.iter().copied().collect());
        // The other models do not mind.
        assert_eq!(rig.ask(&ann, 1).model("qwen-plus").lands_on().await, blocked[0]);
    }
}

async fn lands(rig: &Rig, user: &User, times: usize, estimate: u64) -> Vec<AccountId> {
    let mut landed = Vec::new();
    for _ in 0..times {
        landed.push(rig.ask(user, estimate).model(MODEL).lands_on().await);
    }
    landed
}

contract! {
    async fn blocks_that_end_give_their_accounts_back_without_a_sweep(rig: Rig) {
        let ann = rig.user().await;
        let (blocked, free) = mostly_blocked(&rig, &ann, 2).await;
        // One rests while its block ends, and returns afterwards.
        rig.cool(blocked[0], 900, false).await;
        rig.pass_secs(600);
        let landed = lands(&rig, &ann, 3, 8000).await;
        assert_eq!(landed, blocked[1..4]);
        rig.pass_secs(300);
        assert_eq!(lands(&rig, &ann, 1, 9000).await, [blocked[0]]);
        // Nobody is refused while one is left.
        let rest = lands(&rig, &ann, 46, 5000).await;
        assert!(free.iter().all(|one| rest.contains(one)));
        assert_eq!(rig.ask(&ann, 5100).model(MODEL).refused().await, Refusal::Busy);
    }
}

contract! {
    async fn an_account_that_returns_is_found_unless_it_is_blocked(rig: Rig) {
        let ann = rig.user().await;
        let (blocked, free) = mostly_blocked(&rig, &ann, 3).await;
        for id in [blocked[0], free[0]] {
            rig.cool(id, 60, false).await;
        }
        assert_eq!(lands(&rig, &ann, 1, 1).await, [free[1]]);
        rig.pass_secs(60);
        rig.sweep().await;
        assert_eq!(lands(&rig, &ann, 1, 1).await, [free[0]]);
        // One that is bound now is as good as any.
        let new = rig.account(&ann, 20_000).await;
        assert_eq!(lands(&rig, &ann, 1, 1).await, [new]);
        rig.block(new, MODEL, 600).await;
        assert_eq!(lands(&rig, &ann, 1, 1).await, [free[0]]);
    }
}

contract! {
    async fn a_lone_request_finds_an_account_that_is_not_blocked(rig: Rig) {
        let ann = rig.user().await;
        let (_, free) = mostly_blocked(&rig, &ann, 2).await;
        assert_eq!(lands(&rig, &ann, 2, 9999).await, free);
        assert_eq!(rig.ask(&ann, 9999).model(MODEL).refused().await, Refusal::Busy);
    }
}

contract! {
    async fn more_models_are_blocked_on_many_than_have_an_order_of_their_own(rig: Rig) {
        let ann = rig.user().await;
        let mut all = Vec::new();
        for rank in 0..40 {
            all.push(rig.account(&ann, 10_000 - 100 * rank).await);
        }
        let models = ["m1", "m2", "m3", "m4", "m5", "m6"];
        for (number, model) in models.iter().enumerate() {
            for &account in &all[number..39 - number] {
                rig.block(account, model, 60 * (1 + number as u64)).await;
            }
        }
        let best = |number: usize| if number == 0 { all[39] } else { all[0] };
        for (number, model) in models.iter().enumerate() {
            assert_eq!(rig.ask(&ann, 1).model(model).lands_on().await, best(number), "{model}");
        }
        // What one gave up another may have.
        rig.pass_secs(60);
        rig.sweep().await;
        for &account in &all[..36] {
            rig.block(account, "m7", 600).await;
        }
        assert_eq!(rig.ask(&ann, 1).model("m7").lands_on().await, all[36]);
        assert_eq!(rig.ask(&ann, 1).model("m1").lands_on().await, all[0]);
        rig.pass_secs(600);
        rig.sweep().await;
        for model in models.iter().chain(&["m7"]) {
            let held = rig.ask(&ann, 9_000).model(model).held().await;
            assert_eq!(held.grant.account, all[0], "{model}");
            rig.settle(&held, Charge::Release).await;
        }
    }
}

/// A number that looks random and is the same in every run.
fn dice(turn: u64, sides: u64) -> u64 {
    let mixed = turn.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 33) % sides
}

contract! {
    async fn whatever_comes_and_goes_the_best_that_is_not_blocked_is_found(rig: Rig) {
        let ann = rig.user().await;
        let mut all = Vec::new();
        for _ in 0..48 {
            all.push(rig.account(&ann, 100_000).await);
        }
        let mut ends: HashMap<AccountId, jiff::Timestamp> = HashMap::new();
        let mut held = Vec::new();
        for turn in 0..400_u64 {
            let one = all[dice(turn, 48) as usize];
            match dice(turn + 1000, 8) {
                0..3 => {
                    let secs = 30 + dice(turn + 2000, 600);
                    rig.block(one, MODEL, secs).await;
                    let end = rig.now() + jiff::SignedDuration::from_secs(secs as i64);
                    let known = ends.entry(one).or_insert(end);
                    *known = end.max(*known);
                }
                3 => rig.cool(one, 20 + dice(turn, 60) as i64, false).await,
                4 if !held.is_empty() => {
                    let ended = held.swap_remove(dice(turn, held.len() as u64) as usize);
                    rig.settle(&ended, Charge::Exact(Tokens(dice(turn, 900)))).await;
                }
                5 => {
                    rig.pass_secs(dice(turn, 20));
                    rig.sweep().await;
                }
                _ => {
                    let is_free = |id| ends.get(&id).is_none_or(|&end| end <= rig.now());
                    let states = rig.store.accounts_in(&[ann.pool], &rig.resets()).await.unwrap();
                    let ready = states.iter().filter(|state| {
                        state.health == Health::Active && is_free(state.account.id)
                    });
                    let best = ready.filter_map(|state| state.remaining()).max();
                    let answer = rig.ask(&ann, 700).model(MODEL).answer().await;
                    assert_eq!(answer.as_ref().ok().map(|one| one.grant.remaining), best.map(Some));
                    held.extend(answer.ok());
                }
            }
        }
        assert!(ends.len() > 40 && held.len() > 20, "{} {}", ends.len(), held.len());
    }
}

contract! {
    async fn an_account_that_is_removed_leaves_its_models_order(rig: Rig) {
        let ann = rig.user().await;
        let (blocked, free) = mostly_blocked(&rig, &ann, 2).await;
        rig.store.remove_account(free[0]).await.unwrap();
        assert_eq!(lands(&rig, &ann, 1, 1).await, [free[1]]);
        for &account in &blocked {
            rig.store.remove_account(account).await.unwrap();
        }
        rig.pass_secs(600);
        rig.sweep().await;
        assert_eq!(lands(&rig, &ann, 2, 1).await, [free[1], free[1]]);
    }
}
