//! What purses are written by.

use std::collections::BTreeSet;

use tributary::accounts::{ChargeKind, HoldAsk, HoldEnd, HoldKey, Points, Purse, User};
use tributary::store::StoreError;

use super::{Ground, parts};
use crate::rig::{Rig, fresh_id};

const PURSE: [&str; 4] = ["", ":holds", ":times", ":ledger"];

fn hold(rig: &Rig, user: &User) -> HoldKey {
    HoldKey {
        id: fresh_id(),
        purse: Purse::Points(user.id),
        estimate: 50,
        granted_at: rig.now(),
        note: "qwen/qwen-plus".into(),
    }
}

/// A balance, what of it is held, and its ledger's sum.
async fn balance(rig: &Rig, user: &User) -> (i64, u64, i64) {
    let state = rig.store.purse(&Purse::Points(user.id)).await.unwrap();
    let entries = rig.store.points_ledger(user.id, None, 100).await.unwrap();
    (state.left, state.held, entries.iter().map(|entry| entry.points.0).sum())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_that_met_something_else_is_held_and_ends_once() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let kinds = [ChargeKind::Released, ChargeKind::Exact, ChargeKind::Estimated];
    for (kind, left) in kinds.into_iter().zip([100, 60, 60]) {
        let (mut held, mut ended) = (BTreeSet::new(), BTreeSet::new());
        for part in PURSE {
            let user = rig.user().await;
            rig.store.grant_points(user.id, Points(100), "").await.unwrap();
            let (key, one) = (format!("{{u:{}}}:points{part}", user.id), hold(rig, &user));
            let begin = async || {
                let answer = rig.store.hold(HoldAsk { key: &one, most: 70 }).await?;
                answer.unwrap();
                Ok(())
            };
            if ground.meets(&key, begin).await {
                held.insert(part);
            }
            assert_eq!(balance(rig, &user).await, (100, 70, 100));
            let amount = if kind == ChargeKind::Released { 0 } else { 40 };
            let end = async || {
                rig.store.end_holds(vec![HoldEnd { hold: one.clone(), kind, amount }]).await
            };
            if ground.meets(&key, end).await {
                ended.insert(part);
            }
            end().await.unwrap();
            assert_eq!(balance(rig, &user).await, (left, 0, left), "{part}");
        }
        assert_eq!(held, parts(&["", ":holds", ":times"]));
        let ledger = (kind != ChargeKind::Released).then_some(":ledger");
        assert_eq!(ended, held.into_iter().chain(ledger).collect());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_past_its_deadline_that_met_something_else_is_charged_and_corrected_once() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    for part in PURSE {
        let user = rig.user().await;
        rig.store.grant_points(user.id, Points(100), "").await.unwrap();
        let (key, one) = (format!("{{u:{}}}:points{part}", user.id), hold(rig, &user));
        rig.store.hold(HoldAsk { key: &one, most: 70 }).await.unwrap().unwrap();
        rig.pass_secs(121);
        let look = async || rig.store.purse(&Purse::Points(user.id)).await.map(drop);
        assert!(ground.meets(&key, look).await, "{part}");
        assert_eq!(balance(rig, &user).await, (50, 0, 50), "{part}");
        let end = async || {
            let end = HoldEnd { hold: one.clone(), kind: ChargeKind::Exact, amount: 40 };
            rig.store.end_holds(vec![end]).await
        };
        assert!(ground.meets(&key, end).await, "{part}");
        end().await.unwrap();
        assert_eq!(balance(rig, &user).await, (60, 0, 60), "{part}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_that_cannot_be_read_keeps_no_other_from_ending() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let user = rig.user().await;
    rig.store.grant_points(user.id, Points(100), "").await.unwrap();
    let holds = [hold(rig, &user), hold(rig, &user)];
    for one in &holds {
        rig.store.hold(HoldAsk { key: one, most: 20 }).await.unwrap().unwrap();
    }
    let key = format!("{{u:{}}}:points:holds", user.id);
    let field = holds[0].id.to_string();
    let was: Vec<u8> = ground.run(&["HGET", &key, &field]).await;
    ground.run::<()>(&["HSET", &key, &field, "?"]).await;
    let end = |hold: &HoldKey| HoldEnd { hold: hold.clone(), kind: ChargeKind::Exact, amount: 5 };
    let error = rig.store.end_holds(holds.iter().map(end).collect()).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert_eq!(balance(rig, &user).await, (95, 20, 95));
    // Once it can be read again, its deadline charges it.
    let mut link = ground.link.clone();
    let mend = redis::cmd("HSET").arg(&key).arg(&field).arg(was).take();
    mend.query_async::<()>(&mut link).await.unwrap();
    rig.pass_secs(121);
    assert_eq!(balance(rig, &user).await, (45, 0, 45));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_of_points_that_met_something_else_is_given_once() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    for part in PURSE.into_iter().filter(|part| *part != ":holds") {
        let user = rig.user().await;
        let key = format!("{{u:{}}}:points{part}", user.id);
        let grant = async || rig.store.grant_points(user.id, Points(100), "").await.map(drop);
        assert!(ground.meets(&key, grant).await, "{part}");
        assert_eq!(balance(rig, &user).await, (100, 0, 100));
    }
}
