//! Records: newest first, page by page, and never without bound.

use std::time::Duration;

use futures_util::StreamExt as _;
use tributary::accounts::{
    AccountId, Attempt, Billing, Charge, KeptBodies, LeaseId, Points, Policy, Record, Settlement,
    TokenId, Tokens, User,
};
use tributary::store::Keep;

use crate::contract;
use crate::rig::{Held, Rig, Wish};

/// A record of a call on the first account.
pub fn record(rig: &Rig, user: &User, id: &str) -> Record {
    Record {
        id: id.into(),
        at: rig.now(),
        user: user.id,
        token: TokenId(7),
        model: "qwen-plus".into(),
        streamed: true,
        input: Tokens(100),
        cache_read: Tokens(20),
        cache_write: Tokens(3),
        output: Tokens(50),
        reasoning: Tokens(4),
        estimated: false,
        took_ms: 1200,
        first_byte_ms: Some(300),
        billing: Billing::Points,
        points: Points(1_500_000),
        outcome: "ok".into(),
        attempts: vec![Attempt {
            lease: LeaseId(u128::MAX - 5),
            account: AccountId(1),
            platform: "qwen".into(),
            model: "qwen-plus".into(),
            remaining: Some(-3),
            policy: Some(Policy::Sticky),
            stayed: true,
            candidates: None,
            outcome: "ok".into(),
            charge: Charge::Exact(Tokens(150)),
            points: Points(1_500_000),
            took_ms: 1190,
        }],
        bodies: Some(KeptBodies {
            request: format!("v1.kid.nonce.request-of-{id}"),
            response: "v1.kid.nonce.response".into(),
            cut: true,
        }),
    }
}

async fn write(rig: &Rig, user: &User, ids: std::ops::Range<usize>) {
    for id in ids {
        rig.pass(Duration::from_millis(1));
        rig.record(vec![record(rig, user, &format!("r{id:03}"))]).await.unwrap();
    }
}

async fn ids(rig: &Rig, user: &User, before: Option<&str>, limit: usize) -> Vec<String> {
    let records = rig.store.records_of(user.id, before, limit).await.unwrap();
    records.into_iter().map(|record| record.id).collect()
}

contract! {
    async fn a_record_is_read_as_it_was_written(rig: Rig) {
        let ann = rig.user().await;
        assert_eq!(rig.account(&ann, 1000).await, AccountId(1));
        let written = record(&rig, &ann, "one");
        let bare = Record { first_byte_ms: None, attempts: vec![], bodies: None, ..record(&rig, &ann, "two") };
        rig.record(vec![written.clone(), bare.clone()]).await.unwrap();
        assert_eq!(rig.store.records_of(ann.id, None, 10).await.unwrap(), [bare, written]);
    }
}

contract! {
    async fn records_come_newest_first_and_page_by_page(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        write(&rig, &ann, 0..10).await;
        write(&rig, &ben, 10..11).await;
        assert_eq!(ids(&rig, &ann, None, 4).await, ["r009", "r008", "r007", "r006"]);
        write(&rig, &ann, 11..12).await;
        assert_eq!(ids(&rig, &ann, Some("r006"), 4).await, ["r005", "r004", "r003", "r002"]);
        assert_eq!(ids(&rig, &ann, Some("r002"), 4).await, ["r001", "r000"]);
        assert_eq!(ids(&rig, &ann, Some("r000"), 4).await, [""; 0]);
        assert_eq!(ids(&rig, &ann, Some("unknown"), 4).await, [""; 0]);
        assert_eq!(ids(&rig, &ben, None, 4).await, ["r010"]);
    }
}

contract! {
    #[wish(Wish { keep: Keep { records_an_account: 10, ..Keep::default() } })]
    async fn an_accounts_oldest_records_go_first(rig: Rig) {
        let ann = rig.user().await;
        assert_eq!(rig.account(&ann, 1000).await, AccountId(1));
        write(&rig, &ann, 0..100).await;
        let kept = ids(&rig, &ann, None, 1000).await;
        assert!((10..=12).contains(&kept.len()), "{kept:?}");
        assert_eq!(kept[0], "r099");
        assert_eq!(kept[9], "r090");
    }
}

contract! {
    #[wish(Wish { keep: Keep { age: Duration::from_secs(3600), ..Keep::default() } })]
    async fn records_and_charges_of_long_ago_go(rig: Rig) {
        let ann = rig.user().await;
        rig.account(&ann, 1000).await;
        write(&rig, &ann, 0..3).await;
        for _ in 0..3 {
            let held = rig.ask(&ann, 1).held().await;
            rig.settle(&held, Charge::Exact(Tokens(1))).await;
        }
        rig.pass_secs(3601);
        write(&rig, &ann, 3..4).await;
        let held = rig.ask(&ann, 1).held().await;
        rig.settle(&held, Charge::Exact(Tokens(1))).await;
        rig.sweep().await;
        assert_eq!(ids(&rig, &ann, None, 10).await, ["r003"]);
        assert_eq!(rig.charges(&ann).await.len(), 1);
    }
}

contract! {
    #[wish(Wish { keep: Keep { age: Duration::from_secs(3600), ..Keep::default() } })]
    async fn old_charges_go_as_fast_as_new_ones_come(rig: Rig) {
        let ann = rig.user().await;
        rig.account(&ann, 1_000_000).await;
        let mut leases = Vec::new();
        for _ in 0..12_000 {
            leases.push(rig.ask(&ann, 1).held());
        }
        let held = futures_util::stream::iter(leases).buffered(256).collect::<Vec<_>>().await;
        let release = |held: Held| Settlement { lease: held.key.into(), charge: Charge::Release };
        let all: Vec<_> = held.into_iter().map(release).collect();
        for some in all.chunks(1000) {
            rig.store.settle(some.to_vec(), &rig.resets()).await.unwrap();
        }
        rig.pass_secs(3601);
        let last = rig.ask(&ann, 1).held().await;
        rig.settle(&last, Charge::Release).await;
        for _ in 0..4 {
            rig.sweep().await;
        }
        assert_eq!(rig.charges(&ann).await.len(), 1);
    }
}
