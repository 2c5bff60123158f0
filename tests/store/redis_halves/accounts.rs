//! What one pool's accounts are written by.

use std::collections::BTreeSet;

use tributary::accounts::{
    Charge, ChargeKind, LeaseId, Moving, NewAccount, Policy, Settlement, Tokens, User,
};
use tributary::store::StoreError;
use tributary::vault::SealedCredential;

use super::{Ground, parts};
use crate::rig::{Held, Rig, fresh_id};

/// What every script of a pool's accounts may write.
const FAMILY: [&str; 31] = [
    "a",
    "mv",
    "q",
    "qi",
    "lo",
    "t",
    "r",
    "s",
    "ls",
    "ld",
    "out",
    "b",
    "bt",
    "n",
    "h",
    "f",
    "nm",
    "te",
    "m0",
    "m1",
    "m2",
    "m3",
    "p",
    "p0",
    "p1",
    "p2",
    "p3",
    "c",
    "ct",
    "sum",
    "platforms",
];

pub(super) fn family(user: &User, part: &str) -> String {
    match part {
        "platforms" => format!("{{p:{}}}:platforms", user.pool),
        _ => format!("{{p:{}}}:qwen:{part}", user.pool),
    }
}

/// A user with an account that has so much left, in a pool that goes by priority.
pub(super) async fn owner(rig: &Rig, limit: u64) -> User {
    let user = rig.user_with(Policy::Priority).await;
    rig.account(&user, limit).await;
    rig.sweep().await;
    user
}

async fn settle(rig: &Rig, held: &Held, charge: Charge) -> Result<(), StoreError> {
    let batch = vec![Settlement { lease: held.key.clone().into(), charge }];
    rig.store.settle(batch, &rig.resets()).await
}

/// So much is used by one lease that ended so, and counted so in the totals.
async fn used(rig: &Rig, user: &User, lease: LeaseId, what: &[(ChargeKind, i64)]) {
    let states = rig.store.accounts_in(&[user.pool], &rig.resets()).await.unwrap();
    let sum: i64 = what.iter().map(|(_, tokens)| tokens).sum();
    let used: u64 = states.iter().map(|state| state.windows[0].used.0).sum();
    assert_eq!(i64::try_from(used).unwrap(), sum);
    assert_eq!(states.iter().map(|state| state.leased.0).sum::<u64>(), 0);
    assert_eq!(rig.charges_of(user, lease).await, what);
    let today = rig.now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let totals = rig.store.totals_of(user.id, today, today).await.unwrap();
    let all = totals.iter().map(|total| total.counts.exact.0 + total.counts.estimated.0);
    assert_eq!(i64::try_from(all.sum::<u64>()).unwrap(), sum);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settlement_that_met_something_else_counts_once_when_it_is_sent_again() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let mut failed = BTreeSet::new();
    for part in FAMILY {
        let user = owner(rig, 10).await;
        let held = rig.ask(&user, 10).held().await;
        let exact = Charge::Exact(Tokens(9));
        let met =
            ground.meets(&family(&user, part), async || settle(rig, &held, exact).await).await;
        if met {
            failed.insert(part);
        }
        used(rig, &user, held.key.id, &[(ChargeKind::Exact, 9)]).await;
        assert_eq!(rig.ask(&user, 1).lands_on().await, held.grant.account);
    }
    assert_eq!(failed, parts(&["a", "q", "qi", "lo", "t", "ls", "ld", "out", "b", "p", "sum"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settlement_of_an_account_that_is_in_the_order_of_a_blocked_model_counts_once() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    for part in ["m0", "p0"] {
        let user = owner(rig, 10).await;
        for _ in 0..32 {
            let blocked = rig.account(&user, 1).await;
            rig.block(blocked, "qwen-max", 600).await;
        }
        let held = rig.ask(&user, 10).held().await;
        let exact = Charge::Exact(Tokens(9));
        let key = family(&user, part);
        assert!(ground.meets(&key, async || settle(rig, &held, exact).await).await, "{part}");
        used(rig, &user, held.key.id, &[(ChargeKind::Exact, 9)]).await;
        let model = rig.ask(&user, 1).model("qwen-max");
        assert_eq!(model.lands_on().await, held.grant.account);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_figure_that_met_something_else_replaces_its_estimate_once() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let mut failed = BTreeSet::new();
    for part in FAMILY {
        let user = owner(rig, 10).await;
        let held = rig.ask(&user, 10).held().await;
        rig.pass_secs(121);
        assert_eq!(rig.sweep().await, 1);
        let exact = Charge::Exact(Tokens(7));
        let met =
            ground.meets(&family(&user, part), async || settle(rig, &held, exact).await).await;
        if met {
            failed.insert(part);
        }
        let both = [(ChargeKind::Estimated, 10), (ChargeKind::Correction, -3)];
        used(rig, &user, held.key.id, &both).await;
        // Again, it stays.
        settle(rig, &held, exact).await.unwrap();
        used(rig, &user, held.key.id, &both).await;
    }
    let all = ["a", "q", "qi", "ls", "ld", "out", "b", "p", "sum"];
    assert_eq!(failed, parts(&all));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settlement_of_a_lost_lease_that_met_something_else_counts_once() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let mut failed = BTreeSet::new();
    for part in FAMILY {
        let user = owner(rig, 10).await;
        let mut held = rig.ask(&user, 10).held().await;
        settle(rig, &held, Charge::Release).await.unwrap();
        held.key.id = fresh_id();
        let exact = Charge::Exact(Tokens(9));
        let met =
            ground.meets(&family(&user, part), async || settle(rig, &held, exact).await).await;
        if met {
            failed.insert(part);
        }
        used(rig, &user, held.key.id, &[(ChargeKind::Exact, 9)]).await;
    }
    let all = ["a", "q", "qi", "t", "ls", "ld", "out", "b", "p", "sum"];
    assert_eq!(failed, parts(&all));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_that_met_something_else_charges_its_estimate_once() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let mut failed = BTreeSet::new();
    for part in FAMILY {
        let user = owner(rig, 20).await;
        let held = rig.ask(&user, 10).held().await;
        rig.pass_secs(121);
        let sweep = async || rig.store.sweep(&rig.resets()).await.map(drop);
        if ground.meets_in_steps(&family(&user, part), sweep).await {
            failed.insert(part);
        }
        used(rig, &user, held.key.id, &[(ChargeKind::Estimated, 10)]).await;
    }
    // A sweep also reads what it has nothing to do with.
    assert!(
        failed.is_superset(&parts(&["a", "q", "qi", "ls", "ld", "out", "b", "p", "sum"])),
        "{failed:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_of_a_lease_that_cannot_be_read_keeps_no_other_from_being_charged() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let user = owner(rig, 100).await;
    let held = [rig.ask(&user, 10).held().await, rig.ask(&user, 10).held().await];
    let leases = family(&user, "ls");
    ground.run::<()>(&["HSET", &leases, &held[0].key.id.to_string(), "?"]).await;
    rig.pass_secs(121);
    assert!(rig.store.sweep(&rig.resets()).await.is_err());
    let charged = rig.charges_of(&user, held[1].key.id).await;
    assert_eq!(charged, [(ChargeKind::Estimated, 10)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_met_something_else_is_granted_once() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    for (policy, more) in [
        (Policy::Priority, &["p"][..]),
        (Policy::Sticky, &["c", "ct"]),
        (Policy::MostRemaining, &[]),
    ] {
        let mut failed = BTreeSet::new();
        for part in FAMILY {
            let user = rig.user_with(policy).await;
            rig.account(&user, 10).await;
            rig.sweep().await;
            let id = fresh_id();
            let ask = async || {
                rig.ask(&user, 10).id(id).conversation(5).told().await.map(|answer| {
                    assert_eq!(answer.unwrap().key.id, id);
                })
            };
            if ground.meets(&family(&user, part), ask).await {
                failed.insert(part);
            }
            ask().await.unwrap();
            let states = rig.store.accounts_in(&[user.pool], &rig.resets()).await.unwrap();
            assert_eq!(states[0].leased, Tokens(10), "{part}");
        }
        let all = ["a", "q", "qi", "lo", "t", "te", "ls", "ld", "b", "n"];
        assert_eq!(failed, parts(&[&all[..], more].concat()), "{policy:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_met_something_else_counts_once() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let mut failed = BTreeSet::new();
    for part in FAMILY {
        let user = owner(rig, 10).await;
        let id = rig.store.accounts_in(&[user.pool], &rig.resets()).await.unwrap()[0].account.id;
        let rest = || tributary::accounts::Rest::after(std::time::Duration::from_secs(60));
        let block = async || rig.store.block_model(id, "qwen-max", rest()).await;
        if ground.meets(&family(&user, part), block).await {
            failed.insert(part);
        }
        let blocks = family(&user, "b");
        assert_eq!(ground.run::<String>(&["HGET", &blocks, "qwen-max"]).await, "1");
        rig.pass_secs(61);
        let sweep = async || rig.store.sweep(&rig.resets()).await.map(drop);
        ground.meets_in_steps(&family(&user, part), sweep).await;
        assert!(!ground.run::<bool>(&["EXISTS", &blocks]).await, "{part}");
    }
    assert_eq!(failed, parts(&["a", "f", "q", "b", "bt", "p"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_met_something_else_is_added_and_removed_whole() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let (mut failed, mut stayed) = (BTreeSet::new(), BTreeSet::new());
    for part in FAMILY {
        let user = rig.user().await;
        let windows = vec![crate::rig::day(10)];
        let new = rig.new_account(&user, "qwen", windows.clone()).await;
        let (id, name) = (new.id, new.name.clone());
        let key = family(&user, part);
        let add = async || {
            let sealed = SealedCredential { wrapped_key: "wrapped".into(), body: "sealed".into() };
            let new = NewAccount {
                windows: windows.clone(),
                name: name.clone(),
                owner_proof: new.owner_proof.clone(),
                platform: new.platform.clone(),
                dialect: None,
                sealed,
                ..new
            };
            rig.store.add_account(new).await
        };
        if ground.meets_in_steps(&key, add).await {
            failed.insert(part);
        }
        rig.block(id, "qwen-max", 60).await;
        let remove = async || rig.store.remove_account(id).await.map(drop);
        if ground.meets_in_steps(&key, remove).await {
            stayed.insert(part);
        }
        for part in FAMILY.iter().filter(|part| !["n", "sum", "mv", "platforms"].contains(part)) {
            let key = family(&user, part);
            assert!(!ground.run::<bool>(&["EXISTS", &key]).await, "{key} is left");
        }
    }
    assert_eq!(failed, parts(&["a", "q", "qi", "f", "nm", "b", "platforms"]));
    let all = [
        "a", "mv", "q", "qi", "lo", "t", "te", "r", "s", "h", "f", "nm", "p", "b", "bt", "out",
        "sum",
    ];
    assert_eq!(stayed, parts(&all));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_met_something_else_counts_the_accounts_blocks_once() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let mut failed = BTreeSet::new();
    for part in FAMILY {
        let (user, to) = (owner(rig, 10).await, rig.user().await);
        let id = rig.store.accounts_in(&[user.pool], &rig.resets()).await.unwrap()[0].account.id;
        rig.block(id, "qwen-max", 60).await;
        let before = rig.shown(&user, id).await.account;
        let sealed = SealedCredential { wrapped_key: "wrapped".into(), body: "sealed".into() };
        let after = before.bound_for(to.pool).sealed_as(sealed);
        let go = async || {
            let moved = rig.store.move_account(&before, after.clone()).await?;
            // It was made, and not finished.
            if moved == Moving::Stale { rig.store.end_move(id).await } else { Ok(()) }
        };
        if ground.meets_in_steps(&family(&to, part), go).await {
            failed.insert(part);
        }
        let blocks = |user: &User| family(user, "b");
        assert_eq!(ground.run::<String>(&["HGET", &blocks(&to), "qwen-max"]).await, "1");
        assert!(!ground.run::<bool>(&["EXISTS", &blocks(&user)]).await, "{part}");
        assert_eq!(rig.ask(&to, 1).lands_on().await, id);
    }
    assert_eq!(failed, parts(&["a", "mv", "q", "qi", "f", "nm", "h", "b", "bt", "platforms"]));
}
