//! What a person sets of an account, and the one account that is asked for.

use std::time::Duration;

use tributary::accounts::{AccountId, Charge, Origin, Record, Tokens, User};
use tributary::store::StoreError;

use crate::contract;
use crate::records::record;
use crate::rig::{Rig, day};

contract! {
    async fn one_account_is_shown_to_its_pools_alone(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        let (hers, his) = (rig.account(&ann, 100).await, rig.account(&ben, 100).await);
        let one = async |user: &User, id| {
            rig.store.account_in(&[user.pool], id, &rig.resets()).await.unwrap()
        };
        let shown = one(&ann, hers).await.unwrap();
        let known = rig.shown(&ann, hers).await;
        assert_eq!(serde_json::to_value(shown).unwrap(), serde_json::to_value(known).unwrap());
        assert!(one(&ann, his).await.is_none());
        assert!(one(&ann, AccountId(999_999)).await.is_none());
        assert!(one(&ann, AccountId(-1)).await.is_none());
        assert!(rig.store.account_in(&[], hers, &rig.resets()).await.unwrap().is_none());
        rig.store.remove_account(hers).await.unwrap();
        assert!(one(&ann, hers).await.is_none());
    }
}

contract! {
    async fn an_account_may_be_renamed_to_what_no_other_is_called(rig: Rig) {
        let mut rig = rig;
        let ann = rig.user().await;
        let (one, other) = (rig.account(&ann, 100).await, rig.account(&ann, 100).await);
        let elsewhere = rig.account_with(&ann, "glm", vec![day(100)]).await;
        let name = async |rig: &Rig, id| rig.shown(&ann, id).await.account.name;
        let (first, second) = (name(&rig, one).await, name(&rig, other).await);
        rig.store.rename_account(one, "new").await.unwrap().unwrap();
        assert_eq!(name(&rig, one).await, "new");
        assert_eq!(rig.store.account(one).await.unwrap().unwrap().name, "new");
        let taken = rig.store.rename_account(other, "new").await.unwrap_err();
        assert!(matches!(taken, StoreError::Taken(_)), "{taken}");
        assert_eq!(name(&rig, other).await, second);
        // Its own name, another platform's, and one that is free again are no other's.
        rig.store.rename_account(one, "new").await.unwrap().unwrap();
        rig.store.rename_account(elsewhere, "new").await.unwrap().unwrap();
        rig.store.rename_account(other, &first).await.unwrap().unwrap();
        rig.store.rename_account(one, &second).await.unwrap().unwrap();
        assert_eq!(rig.store.rename_account(AccountId(999_999), "x").await.unwrap(), None);
        rig.crash();
        assert_eq!(name(&rig, one).await, second);
        assert_eq!(name(&rig, other).await, first);
        // A name goes with its account, whatever it was bound as.
        rig.store.remove_account(one).await.unwrap();
        rig.store.rename_account(other, &second).await.unwrap().unwrap();
        assert_eq!(rig.ask(&ann, 10).lands_on().await, other);
    }
}

contract! {
    async fn a_limit_that_is_set_holds_at_once_and_for_good(rig: Rig) {
        let mut rig = rig;
        let ann = rig.user().await;
        let id = rig.account(&ann, 1000).await;
        let held = rig.ask(&ann, 300).held().await;
        rig.settle(&held, Charge::Exact(Tokens(300))).await;
        let set = async |rig: &Rig, limit: Option<u64>, origin| {
            let limit = limit.map(Tokens);
            rig.store.set_limit(id, limit, origin, &rig.resets()).await.unwrap().unwrap();
        };
        let first = async |rig: &Rig| rig.shown(&ann, id).await.windows[0].clone();

        set(&rig, Some(350), Origin::Hand).await;
        let before = first(&rig).await;
        assert_eq!((before.limit, before.used), (Some(Tokens(350)), Tokens(300)));
        assert_eq!(before.origin, Origin::Hand);
        assert!(before.resets_at.is_some());
        let held = rig.ask(&ann, 40).held().await;
        assert_eq!(held.grant.remaining, Some(50));
        rig.settle(&held, Charge::Release).await;
        rig.crash();
        assert_eq!(first(&rig).await, before);

        set(&rig, Some(300), Origin::Hand).await;
        rig.ask(&ann, 1).refused().await;
        set(&rig, Some(2000), Origin::Catalogue).await;
        assert_eq!(first(&rig).await.origin, Origin::Catalogue);
        assert_eq!(rig.ask(&ann, 1700).lands_on().await, id);
        set(&rig, None, Origin::Hand).await;
        assert_eq!(rig.ask(&ann, 1_000_000).lands_on().await, id);

        let bare = rig.account_with(&ann, "glm", vec![]).await;
        let limited = rig.store.set_limit(bare, Some(Tokens(1)), Origin::Hand, &rig.resets()).await;
        assert_eq!(limited.unwrap(), Some(()));
        assert_eq!(rig.shown(&ann, bare).await.windows, []);
        let nobody = AccountId(999_999);
        let none = rig.store.set_limit(nobody, None, Origin::Hand, &rig.resets()).await;
        assert_eq!(none.unwrap(), None);
    }
}

contract! {
    async fn records_of_one_account_come_newest_first_and_page_by_page(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        let (one, other) = (rig.account(&ann, 1000).await, rig.account(&ann, 1000).await);
        let write = async |user: &User, id: &str, on: &[AccountId]| {
            rig.pass(Duration::from_millis(1));
            let mut written = record(&rig, user, id);
            let attempt = written.attempts.remove(0);
            written.attempts.extend(on.iter().map(|&account| {
                tributary::accounts::Attempt { account, ..attempt.clone() }
            }));
            rig.record(vec![written]).await.unwrap();
        };
        for number in 0..6 {
            write(&ann, &format!("one{number}"), &[one]).await;
            write(&ann, &format!("other{number}"), &[other]).await;
        }
        write(&ann, "both", &[other, one, other]).await;
        write(&ben, "his", &[one]).await;
        let page = async |user: &User, account, before: Option<&str>, limit| {
            let found = rig.store.records_on(user.id, account, before, limit).await.unwrap();
            found.into_iter().map(|record: Record| record.id).collect::<Vec<_>>()
        };
        assert_eq!(page(&ann, one, None, 3).await, ["both", "one5", "one4"]);
        assert_eq!(page(&ann, one, Some("one4"), 3).await, ["one3", "one2", "one1"]);
        assert_eq!(page(&ann, one, Some("one1"), 3).await, ["one0"]);
        assert_eq!(page(&ann, one, Some("one0"), 3).await, [""; 0]);
        assert_eq!(page(&ann, one, Some("unknown"), 3).await, [""; 0]);
        assert_eq!(page(&ann, other, None, 2).await, ["both", "other5"]);
        assert_eq!(page(&ben, one, None, 9).await, ["his"]);
        assert_eq!(page(&ben, other, None, 9).await, [""; 0]);
    }
}
