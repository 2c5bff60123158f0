//! A server whose memory is full ends what was begun, once: the first write of whatever ends
//! something needs no memory, and after it a script is refused nothing.

use tributary::accounts::{
    Charge, ChargeKind, HoldAsk, HoldEnd, HoldKey, Points, Purse, Settlement, TokenId, Tokens,
};

use crate::redis_faults::alone;
use crate::rig::{Held, Process, Rig, Wish, cli, fresh_id};

async fn begin() -> (Process, Rig) {
    let (server, url) = alone();
    let rig = Rig::on_url(&url, Wish::default()).await;
    (server, rig)
}

fn fill(server: &Process) {
    cli(server.port, &["CONFIG", "SET", "maxmemory", "1"]);
}

fn key(rig: &Rig, purse: &Purse) -> HoldKey {
    HoldKey {
        id: fresh_id(),
        purse: purse.clone(),
        estimate: 10,
        granted_at: rig.now(),
        note: "qwen/qwen-plus".into(),
    }
}

async fn hold(rig: &Rig, purse: &Purse) -> HoldKey {
    let key = key(rig, purse);
    rig.store.hold(HoldAsk { key: &key, most: 20 }).await.unwrap().unwrap();
    key
}

async fn end(rig: &Rig, hold: &HoldKey, kind: ChargeKind, amount: u64) {
    let end = HoldEnd { hold: hold.clone(), kind, amount };
    rig.store.end_holds(vec![end]).await.unwrap();
}

/// What is left and what is held, however often one looks.
async fn stays(rig: &Rig, purse: &Purse, left: i64, held: u64) {
    for _ in 0..4 {
        let state = rig.store.purse(purse).await.unwrap();
        assert_eq!((state.left, state.held), (left, held));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_past_its_deadline_is_charged_once_to_its_day() {
    let (server, rig) = begin().await;
    let purse = Purse::Budget { token: TokenId(7), index: "t".into(), limit: Tokens(100) };
    hold(&rig, &purse).await;
    rig.pass_secs(100);
    // A tombstone, due after the hold, and a hold that stays.
    end(&rig, &key(&rig, &purse), ChargeKind::Released, 0).await;
    hold(&rig, &purse).await;
    rig.pass_secs(100);
    fill(&server);
    for _ in 0..4 {
        drop(rig.store.purse(&purse).await);
    }
    cli(server.port, &["CONFIG", "SET", "maxmemory", "0"]);
    stays(&rig, &purse, 90, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_of_points_end() {
    let (server, rig) = begin().await;
    let user = rig.user().await;
    let purse = Purse::Points(user.id);
    rig.store.grant_points(user.id, Points(100), "").await.unwrap();
    let holds = [hold(&rig, &purse).await, hold(&rig, &purse).await];
    fill(&server);
    end(&rig, &holds[0], ChargeKind::Exact, 15).await;
    stays(&rig, &purse, 85, 20).await;
    rig.pass_secs(121);
    stays(&rig, &purse, 75, 0).await;
    end(&rig, &holds[1], ChargeKind::Exact, 7).await;
    stays(&rig, &purse, 78, 0).await;
    // A fail-over lost this one.
    end(&rig, &key(&rig, &purse), ChargeKind::Exact, 3).await;
    stays(&rig, &purse, 75, 0).await;
    let entries = rig.store.points_ledger(user.id, None, 100).await.unwrap();
    assert_eq!(
        entries.iter().map(|entry| entry.points.0).collect::<Vec<_>>(),
        [-3, 3, -10, -15, 100]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_end() {
    let (server, rig) = begin().await;
    let user = rig.user().await;
    let account = rig.account(&user, 100).await;
    let held = [
        rig.ask(&user, 10).held().await,
        rig.ask(&user, 10).held().await,
        rig.ask(&user, 10).held().await,
    ];
    let settle = async |held: &Held, charge| {
        let batch = vec![Settlement { lease: held.key.clone().into(), charge }];
        rig.store.settle(batch, &rig.resets()).await.unwrap();
    };
    let shown = async || {
        let state = rig.shown(&user, account).await;
        (state.windows[0].used.0, state.leased.0)
    };
    fill(&server);
    settle(&held[0], Charge::Exact(Tokens(9))).await;
    assert_eq!(shown().await, (9, 20));
    settle(&held[1], Charge::Release).await;
    assert_eq!(shown().await, (9, 10));
    rig.pass_secs(121);
    // What else a sweep does may need memory.
    drop(rig.store.sweep(&rig.resets()).await);
    assert_eq!(shown().await, (19, 0));
    settle(&held[2], Charge::Exact(Tokens(7))).await;
    assert_eq!(shown().await, (16, 0));
    let of = async |held: &Held| rig.charges_of(&user, held.key.id).await;
    assert_eq!(of(&held[0]).await, [(ChargeKind::Exact, 9)]);
    assert_eq!(of(&held[1]).await, [(ChargeKind::Released, 0)]);
    assert_eq!(of(&held[2]).await, [(ChargeKind::Estimated, 10), (ChargeKind::Correction, -3)]);
}
