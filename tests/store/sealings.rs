//! What a rotation of the key ring reads and moves.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use tributary::accounts::{
    AccountId, KeptBodies, KeptPage, KeptRow, Record, Rewrap, ShortKey, Tokens, User,
};
use tributary::store::Store;
use tributary::vault::SealedCredential;

use crate::contract;
use crate::records::record as record_of_a_call;
use crate::rig::{Rig, Wish};

/// Every account, read by pages of two.
async fn walk(rig: &Rig) -> Vec<AccountId> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = rig.store.accounts_after(after, 2, &rig.resets()).await.unwrap();
        let Some(last) = page.last() else { return all };
        after = Some(last.account.id);
        all.extend(page.iter().map(|state| state.account.id));
    }
}

contract! {
    async fn accounts_of_every_pool_are_walked_through_by_id(rig: Rig) {
        let (ann, bob) = (rig.user().await, rig.user().await);
        assert_eq!(walk(&rig).await, []);
        let mut ids = Vec::new();
        for number in 0..9 {
            let user = if number % 3 == 0 { &bob } else { &ann };
            ids.push(rig.account(user, 100).await);
        }
        assert_eq!(walk(&rig).await, ids);
        // Holes wider than a page are passed over, at the beginning, between and at the end.
        for gone in [0, 3, 4, 5, 8] {
            rig.store.remove_account(ids[gone]).await.unwrap();
        }
        assert_eq!(walk(&rig).await, [1, 2, 6, 7].map(|number| ids[number]));
        let shown = rig.store.accounts_after(None, 1, &rig.resets()).await.unwrap();
        assert_eq!(shown[0].account.sealed.wrapped_key, "wrapped");
        assert_eq!(shown[0].windows[0].limit, Some(Tokens(100)));
    }
}

fn rewrap(account: AccountId, old: &str, new: &str) -> Rewrap {
    Rewrap { account, old: old.into(), new: new.into() }
}

contract! {
    async fn a_wrapping_takes_the_place_of_the_one_that_was_read(rig: Rig) {
        let ann = rig.user().await;
        let (one, two) = (rig.account(&ann, 100).await, rig.account(&ann, 100).await);
        let sealed = SealedCredential { wrapped_key: "short".into(), body: "short body".into() };
        let ends_at = rig.now() + SignedDuration::from_secs(60);
        let key = ShortKey { sealed, generation: 1, renew_at: rig.now(), ends_at };
        assert!(rig.store.keep_short_key(one, key).await.unwrap());
        let before = rig.shown(&ann, one).await;

        let batch = vec![
            rewrap(one, "wrapped", "wrapped anew"),
            rewrap(one, "short", "short anew"),
            rewrap(two, "another", "wrapped anew"),
            rewrap(AccountId(12345), "wrapped", "wrapped anew"),
        ];
        assert_eq!(rig.store.rewrap(batch.clone()).await.unwrap(), [true, true, false, false]);
        // What was read is there no more.
        assert_eq!(rig.store.rewrap(batch).await.unwrap(), [false; 4]);
        let after = rig.shown(&ann, one).await.account;
        let short = after.short_key.as_ref().unwrap();
        let expected = ("wrapped anew", "sealed", "short anew", "short body");
        let SealedCredential { wrapped_key, body } = &after.sealed;
        assert_eq!((&**wrapped_key, &**body, &*short.sealed.wrapped_key, &*short.sealed.body), expected);
        assert_eq!((after.name, after.generation), (before.account.name, 1));
        assert_eq!(rig.shown(&ann, two).await.account.sealed.wrapped_key, "wrapped");
        // Requests get it, too.
        assert_eq!(rig.store.account(one).await.unwrap().unwrap().sealed.wrapped_key, "wrapped anew");
    }
}

contract! {
    /// As a short-lived key that is made meanwhile does.
    async fn of_all_that_change_an_account_at_once_none_undoes_another(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        let key = |number: i64| {
            let wrapped_key = format!("short {number}").into();
            let sealed = SealedCredential { wrapped_key, body: "body".into() };
            let ends_at = rig.now() + SignedDuration::from_secs(60 + number);
            ShortKey { sealed, generation: 1, renew_at: rig.now(), ends_at }
        };
        for number in 0..10 {
            let old = if number == 0 { "wrapped".into() } else { format!("wrapped {}", number - 1) };
            let new = format!("wrapped {number}");
            let (rewrapped, kept) = tokio::join!(
                rig.store.rewrap(vec![rewrap(one, &old, &new)]),
                rig.store.keep_short_key(one, key(number)),
            );
            assert_eq!((rewrapped.unwrap(), kept.unwrap()), (vec![true], true));
            let account = rig.shown(&ann, one).await.account;
            assert_eq!(account.sealed.wrapped_key, new);
            assert_eq!(account.short_key, Some(key(number)));
        }
    }
}

fn bodies(kid: &str, text: &str) -> KeptBodies {
    let sealed = |what: &str| format!("v1.{kid}.{what}.{text}");
    KeptBodies { request: sealed("q"), response: sealed("a"), cut: false }
}

async fn record(rig: &Rig, user: &User, account: AccountId, id: &str, kept: Option<KeptBodies>) {
    let mut record = Record { bodies: kept, ..record_of_a_call(rig, user, id) };
    record.attempts[0].account = account;
    rig.record(vec![record]).await.unwrap();
}

/// All pages together.
async fn kept(store: &dyn Store, besides: Option<&str>) -> (BTreeMap<String, u64>, Vec<KeptRow>) {
    let (mut under, mut others, mut after) = (BTreeMap::new(), Vec::new(), None::<String>);
    loop {
        let page = store.kept_bodies(besides, after.as_deref()).await.unwrap();
        let KeptPage { under: some, others: more, next } = page;
        for (kid, count) in some {
            *under.entry(kid).or_default() += count;
        }
        others.extend(more);
        after = next;
        if after.is_none() {
            return (under, others);
        }
    }
}

contract! {
    async fn kept_bodies_are_counted_by_their_keys_and_sealed_anew(rig: Rig) {
        let (ann, bob) = (rig.user().await, rig.user().await);
        let one = rig.account(&ann, 100).await;
        assert_eq!(kept(&*rig.store, None).await, (BTreeMap::new(), Vec::new()));
        for number in 0..30 {
            let user = if number % 3 == 0 { &bob } else { &ann };
            let kid = if number % 5 == 0 { "new" } else { "old-1" };
            record(&rig, user, one, &format!("r{number}"), Some(bodies(kid, "x"))).await;
            record(&rig, user, one, &format!("s{number}"), None).await;
        }
        let counts = |new: u64, old: u64| {
            let all = [("new".to_owned(), new), ("old-1".to_owned(), old)];
            all.into_iter().filter(|(_, count)| *count > 0).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(kept(&*rig.store, None).await, (counts(6, 24), Vec::new()));
        let (under, others) = kept(&*rig.store, Some("new")).await;
        assert_eq!(under, counts(6, 24));
        let ids: BTreeSet<_> = others.iter().map(|row| row.record.clone()).collect();
        assert_eq!((others.len(), ids.len()), (24, 24));
        assert!(others.iter().all(|row| row.bodies == bodies("old-1", "x")));

        let batch: Vec<KeptRow> = others
            .iter()
            .map(|row| KeptRow { bodies: bodies("new", &row.record), ..row.clone() })
            .collect();
        // Not those of another key.
        rig.store.reseal_bodies("old", batch.clone()).await.unwrap();
        assert_eq!(kept(&*rig.store, None).await.0, counts(6, 24));
        rig.store.reseal_bodies("old-1", batch.clone()).await.unwrap();
        assert_eq!(kept(&*rig.store, Some("new")).await, (counts(30, 0), Vec::new()));
        let again = batch.iter().map(|row| KeptRow { bodies: bodies("new", "z"), ..row.clone() });
        rig.store.reseal_bodies("old-1", again.collect()).await.unwrap();

        for user in [&ann, &bob] {
            let records = rig.store.records_of(user.id, None, 100).await.unwrap();
            for record in records {
                let number: usize = record.id[1..].parse().unwrap();
                let expected = match number % 5 {
                    _ if record.id.starts_with('s') => None,
                    0 => Some(bodies("new", "x")),
                    _ => Some(bodies("new", &record.id)),
                };
                assert_eq!(record.bodies, expected, "{}", record.id);
                assert_eq!(record.attempts[0].account, one);
            }
        }
    }
}

contract! {
    async fn many_kept_bodies_come_in_pages(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        let long = "x".repeat(200_000);
        for number in 0..30 {
            record(&rig, &ann, one, &format!("r{number}"), Some(bodies("old", &long))).await;
        }
        let first = rig.store.kept_bodies(Some("new"), None).await.unwrap();
        assert!(first.next.is_some() && first.others.len() < 30, "{}", first.others.len());
        let (under, others) = kept(&*rig.store, Some("new")).await;
        assert_eq!((under, others.len()), ([("old".to_owned(), 30)].into(), 30));
    }
}

contract! {
    async fn seals_are_counted_many_at_once(rig: Rig) {
        assert_eq!(rig.store.seals().await.unwrap(), BTreeMap::new());
        assert_eq!(rig.store.count_seals("k1", 50).await.unwrap(), 50);
        assert_eq!(rig.store.count_seals("k1", 1).await.unwrap(), 51);
        assert_eq!(rig.store.count_seals("k2", 2).await.unwrap(), 2);
        let seals = [("k1".to_owned(), 51), ("k2".to_owned(), 2)].into();
        assert_eq!(rig.store.seals().await.unwrap(), seals);
    }
}

contract! {
    async fn a_canary_goes_alone(rig: Rig) {
        for canary in ["k1.aa", "k2.bb"] {
            rig.store.add_canary(canary).await.unwrap();
        }
        rig.store.remove_canary("k1.aa").await.unwrap();
        rig.store.remove_canary("k1.aa").await.unwrap();
        assert_eq!(rig.store.canaries().await.unwrap(), ["k2.bb"]);
        rig.store.add_canary("k1.aa").await.unwrap();
        assert_eq!(rig.store.canaries().await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn what_was_moved_outlives_the_process() {
    let mut rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let one = rig.account(&ann, 100).await;
    record(&rig, &ann, one, "r1", Some(bodies("old", "x"))).await;
    let (_, mut others) = kept(&*rig.store, Some("new")).await;
    others[0].bodies = bodies("new", "y");
    rig.store.reseal_bodies("old", others).await.unwrap();
    rig.store.rewrap(vec![rewrap(one, "wrapped", "wrapped anew")]).await.unwrap();
    rig.store.add_canary("k1.aa").await.unwrap();
    rig.store.remove_canary("k1.aa").await.unwrap();
    rig.crash();
    assert_eq!(rig.shown(&ann, one).await.account.sealed.wrapped_key, "wrapped anew");
    assert_eq!(kept(&*rig.store, None).await.0, [("new".to_owned(), 1)].into());
    assert_eq!(rig.store.canaries().await.unwrap(), Vec::<String>::new());
}
