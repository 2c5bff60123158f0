//! Short-lived keys: kept with their account, and made by one of all gateways.

use std::time::Duration;

use jiff::SignedDuration;
use tributary::accounts::{AccountId, ShortKey};
use tributary::vault::SealedCredential;

use crate::contract;
use crate::rig::{Rig, fresh_id};

const CLAIM: Duration = Duration::from_secs(30);

fn key(rig: &Rig, body: &str, secs: i64) -> ShortKey {
    let sealed = SealedCredential { wrapped_key: "wrapped".into(), body: body.into() };
    let ends_at = rig.now() + SignedDuration::from_secs(secs);
    ShortKey { sealed, generation: 1, renew_at: rig.now(), ends_at }
}

async fn kept(rig: &Rig, id: AccountId) -> Option<ShortKey> {
    rig.store.account(id).await.unwrap().unwrap().short_key.clone()
}

contract! {
    async fn a_short_lived_key_lies_with_its_account(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        assert_eq!(kept(&rig, one).await, None);
        for (body, secs, taken) in [("a", 60, true), ("b", 90, true), ("c", 80, false), ("d", 90, true)] {
            assert_eq!(rig.store.keep_short_key(one, key(&rig, body, secs)).await.unwrap(), taken, "{body}");
            let expected = if taken { body } else { "b" };
            assert_eq!(kept(&rig, one).await.unwrap().sealed.body, expected);
        }
        // Of another credential than the account has.
        let foreign = ShortKey { generation: 2, ..key(&rig, "e", 600) };
        assert!(!rig.store.keep_short_key(one, foreign).await.unwrap());
        assert_eq!(kept(&rig, one).await, Some(key(&rig, "d", 90)));
        // Nothing else of the account is touched.
        let shown = rig.shown(&ann, one).await;
        assert_eq!((shown.account.sealed.body.as_str(), shown.account.generation), ("sealed", 1));
        assert_eq!(shown.account.short_key, Some(key(&rig, "d", 90)));
        assert_eq!(rig.ask(&ann, 1).lands_on().await, one);
    }
}

contract! {
    async fn a_removed_account_takes_no_key(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        let claim = fresh_id();
        assert!(rig.store.claim_renewal(one, claim, CLAIM).await.unwrap());
        rig.store.remove_account(one).await.unwrap();
        assert!(!rig.store.keep_short_key(one, key(&rig, "a", 60)).await.unwrap());
        assert!(!rig.store.claim_renewal(one, fresh_id(), CLAIM).await.unwrap());
        rig.store.end_renewal(one, claim).await.unwrap();
        assert!(!rig.store.keep_short_key(AccountId(12345), key(&rig, "a", 60)).await.unwrap());
    }
}

contract! {
    async fn one_claim_at_a_time_is_granted_and_ends_by_word_or_by_time(rig: Rig) {
        let ann = rig.user().await;
        let (one, two) = (rig.account(&ann, 100).await, rig.account(&ann, 100).await);
        let (mine, theirs) = (fresh_id(), fresh_id());
        let claim = async |account, by| rig.store.claim_renewal(account, by, CLAIM).await.unwrap();
        assert!(claim(one, mine).await);
        assert!(!claim(one, theirs).await);
        assert!(claim(two, theirs).await, "another account's claim is its own");
        // Safe to repeat, as when the answer got lost.
        assert!(claim(one, mine).await);
        // Another's word does not end it.
        rig.store.end_renewal(one, theirs).await.unwrap();
        assert!(!claim(one, theirs).await);
        rig.store.end_renewal(one, mine).await.unwrap();
        assert!(claim(one, theirs).await);
        rig.pass(CLAIM - Duration::from_millis(1));
        assert!(!claim(one, mine).await);
        rig.pass(Duration::from_millis(1));
        assert!(claim(one, mine).await, "a gateway that died holds nobody up");
        rig.store.end_renewal(one, theirs).await.unwrap();
        assert!(!claim(one, theirs).await);
    }
}

contract! {
    async fn of_a_crowd_one_makes_the_key_and_all_see_it(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        let asked = (0..32).map(|_| rig.store.claim_renewal(one, fresh_id(), CLAIM));
        let granted = futures_util::future::join_all(asked).await;
        assert_eq!(granted.iter().filter(|granted| matches!(granted, Ok(true))).count(), 1);
        // Keys that come at the same time: the one that ends last stays.
        let keys: Vec<ShortKey> = (0..8).map(|n| key(&rig, &format!("k{n}"), 60 + n)).collect();
        let kept_all = keys.iter().map(|key| rig.store.keep_short_key(one, key.clone()));
        for one in futures_util::future::join_all(kept_all).await {
            one.unwrap();
        }
        assert_eq!(kept(&rig, one).await.unwrap().sealed.body, "k7");
    }
}

#[tokio::test]
async fn a_file_keeps_the_key_and_no_claim() {
    let rig = Rig::sqlite(crate::rig::Wish::default());
    let ann = rig.user().await;
    let one = rig.account(&ann, 100).await;
    assert!(rig.store.claim_renewal(one, fresh_id(), CLAIM).await.unwrap());
    let kept_before = key(&rig, "a", 60);
    assert!(rig.store.keep_short_key(one, kept_before.clone()).await.unwrap());
    let mut rig = rig.reopened();
    assert_eq!(kept(&rig, one).await, Some(kept_before.clone()));
    assert!(rig.store.claim_renewal(one, fresh_id(), CLAIM).await.unwrap(), "its holder is gone");
    let later = key(&rig, "b", 600);
    assert!(rig.store.keep_short_key(one, later.clone()).await.unwrap());
    rig.crash();
    assert_eq!(kept(&rig, one).await, Some(later));
}
