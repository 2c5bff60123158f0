//! Gateway tokens that are changed, and when they were used.

use std::collections::BTreeMap;

use tributary::accounts::{GatewayTokenRow, TokenGrant, TokenId, TokenUse, Tokens, User};

use crate::contract;
use crate::people::token_for;
use crate::rig::{Rig, Wish};

async fn token(rig: &Rig, user: &User, index: &str) -> GatewayTokenRow {
    token_for(rig, user, index, user.pool).await
}

fn tightened(row: &GatewayTokenRow) -> GatewayTokenRow {
    let grant = TokenGrant { tokens_per_day: Some(Tokens(1)), ..row.grant.clone() };
    GatewayTokenRow { grant, mac: "another".into(), name: "desktop".into(), ..row.clone() }
}

contract! {
    async fn a_token_is_changed_as_long_as_it_is_what_was_read(rig: Rig) {
        let ann = rig.user().await;
        let old = token(&rig, &ann, "index-1").await;
        let new = tightened(&old);
        let stale = GatewayTokenRow { name: "other".into(), ..old.clone() };
        assert!(!rig.store.change_token(&stale, new.clone()).await.unwrap());
        assert!(rig.store.change_token(&old, new.clone()).await.unwrap());
        assert_eq!(*rig.store.token("index-1").await.unwrap().unwrap(), new);
        assert_eq!(rig.store.tokens_of(ann.id).await.unwrap(), std::slice::from_ref(&new));
        assert!(!rig.store.change_token(&old, tightened(&old)).await.unwrap());

        let elsewhere = GatewayTokenRow { index: "index-2".into(), ..new.clone() };
        assert!(!rig.store.change_token(&new, elsewhere).await.unwrap());
        assert!(rig.store.revoke_token(new.grant.id).await.unwrap());
        let revoked = rig.store.token("index-1").await.unwrap().unwrap();
        for row in [&new, &*revoked] {
            assert!(!rig.store.change_token(row, tightened(row)).await.unwrap());
        }
        assert_eq!(rig.store.token("index-1").await.unwrap().unwrap(), revoked);
        let unknown = GatewayTokenRow { index: "index-0".into(), ..old };
        assert!(!rig.store.change_token(&unknown, unknown.clone()).await.unwrap());
    }
}

contract! {
    async fn no_row_under_an_older_key_grants_what_was_taken_away(rig: Rig) {
        let ann = rig.user().await;
        let mut last = token(&rig, &ann, "old.1").await;
        for index in ["new.1", "newer.1"] {
            let next = GatewayTokenRow { index: index.into(), ..last.clone() };
            assert!(rig.store.reindex_token(&last, next.clone()).await.unwrap());
            assert!(!rig.store.change_token(&last, tightened(&last)).await.unwrap(), "{index}");
            last = next;
        }
        let new = tightened(&last);
        assert!(rig.store.change_token(&last, new.clone()).await.unwrap());
        assert_eq!(*rig.store.token("newer.1").await.unwrap().unwrap(), new);
        for index in ["old.1", "new.1"] {
            assert_eq!(rig.store.token(index).await.unwrap(), None);
        }
        // A gateway whose primary is the old key gives it a row there again.
        let back = GatewayTokenRow { index: "old.1".into(), ..new.clone() };
        assert!(rig.store.reindex_token(&new, back.clone()).await.unwrap());
        assert_eq!(*rig.store.token("old.1").await.unwrap().unwrap(), back);
        assert!(rig.store.revoke_token(new.grant.id).await.unwrap());
        for index in ["old.1", "newer.1"] {
            let row = rig.store.token(index).await.unwrap();
            assert!(row.is_none_or(|row| row.revoked_at.is_some() && row.mac == "revoked"));
        }
    }
}

contract! {
    async fn a_token_that_is_changed_while_it_gets_another_index_is_as_changed_under_both(rig: Rig) {
        let ann = rig.user().await;
        for number in 0..20 {
            let old = token(&rig, &ann, &format!("old.{number}")).await;
            let index = format!("new.{number}");
            let new = GatewayTokenRow { index: index.clone(), ..old.clone() };
            let (moved, changed) = tokio::join!(
                rig.store.reindex_token(&old, new),
                rig.store.change_token(&old, tightened(&old)),
            );
            assert!(moved.unwrap() != changed.unwrap(), "one of both is first");
            let mut found = 0;
            for index in [&old.index, &index] {
                let row = rig.store.token(index).await.unwrap();
                found += usize::from(row.is_some_and(|row| row.mac == "another"));
            }
            let own = rig.store.tokens_of(ann.id).await.unwrap().pop().unwrap();
            assert_eq!(found == 1, own.mac == "another", "{own:?}");
        }
    }
}

contract! {
    async fn the_last_use_of_each_token_is_told_to_its_user(rig: Rig) {
        let ann = rig.user().await;
        let ben = rig.store.add_user("ben").await.unwrap();
        let [one, two, other] = [
            token(&rig, &ann, "index-1").await.grant.id,
            token(&rig, &ann, "index-2").await.grant.id,
            token(&rig, &ben, "index-3").await.grant.id,
        ];
        let first = rig.now();
        rig.pass_secs(90);
        let later = rig.now();
        let used = |user: &User, token: TokenId, at| TokenUse { user: user.id, token, at };
        rig.store.note_uses(vec![used(&ann, one, first), used(&ben, other, first)]).await.unwrap();
        assert_eq!(rig.store.token_uses(ann.id).await.unwrap(), BTreeMap::from([(one, first)]));
        rig.store.note_uses(vec![used(&ann, one, later), used(&ann, two, later)]).await.unwrap();
        // Told late by another gateway.
        rig.store.note_uses(vec![used(&ann, two, first)]).await.unwrap();
        let uses = rig.store.token_uses(ann.id).await.unwrap();
        assert_eq!(uses, BTreeMap::from([(one, later), (two, later)]));
        assert_eq!(rig.store.token_uses(ben.id).await.unwrap(), BTreeMap::from([(other, first)]));
    }
}

#[tokio::test]
async fn a_changed_token_and_its_last_use_outlive_the_process() {
    let mut rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let old = token(&rig, &ann, "index-1").await;
    let new = tightened(&old);
    assert!(rig.store.change_token(&old, new.clone()).await.unwrap());
    let (id, at) = (old.grant.id, rig.now());
    rig.store.note_uses(vec![TokenUse { user: ann.id, token: id, at }]).await.unwrap();
    rig.crash();
    assert_eq!(*rig.store.token("index-1").await.unwrap().unwrap(), new);
    assert_eq!(rig.store.token_uses(ann.id).await.unwrap(), BTreeMap::from([(id, at)]));
}
