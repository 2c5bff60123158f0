//! Users, tokens, accounts and the key ring's canaries.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use tributary::accounts::{
    GatewayTokenRow, Health, Identity, PasswordHash, Period, PoolId, Scope, Spending, TokenGrant,
    TokenId, Tokens, User, UserId, UserRole, WindowSpec,
};
use tributary::identity::{Changed, change, change_but_the_last_operator};
use tributary::store::{Directory, StoreError};
use tributary::vault::{KeyRing, Vault};

use crate::contract;
use crate::rig::{Rig, Wish, day, hours};

async fn token(rig: &Rig, user: &User, index: &str) -> GatewayTokenRow {
    token_for(rig, user, index, user.pool).await
}

/// A user's token that draws from this pool.
pub async fn token_for(rig: &Rig, user: &User, index: &str, pool: PoolId) -> GatewayTokenRow {
    let row = GatewayTokenRow {
        index: index.into(),
        grant: TokenGrant {
            id: rig.store.reserve_token_id().await.unwrap(),
            user: user.id,
            personal: pool,
            scopes: vec![Scope::Chat, Scope::AccountsRead],
            models: vec![],
            platforms: vec!["qwen".into()],
            expires_at: Some(rig.now()),
            points: Spending::Never,
            requests_per_minute: NonZeroU32::new(60),
            tokens_per_day: Some(Tokens(1_000_000)),
            keep_bodies: true,
            only_pools: Some(vec![pool]),
        },
        mac: "mac".into(),
        name: "laptop".into(),
        prefix: "tr-abc".into(),
        last_four: "wxyz".into(),
        created_at: rig.now(),
        revoked_at: None,
        first_index: None,
    };
    rig.store.add_token(row.clone()).await.unwrap();
    row
}

contract! {
    async fn a_user_has_a_name_and_a_pool_of_its_own(rig: Rig) {
        let ann = rig.store.add_user("ann").await.unwrap();
        let ben = rig.store.add_user("ben").await.unwrap();
        assert_ne!(ann.id, ben.id);
        assert_ne!(ann.pool, ben.pool);
        assert_eq!(ann.created_at, rig.now());
        assert_eq!(rig.store.user_named("ann").await.unwrap(), Some(ann.clone()));
        assert_eq!(rig.store.user_named("cid").await.unwrap(), None);
        let taken = rig.store.add_user("ann").await.unwrap_err();
        assert_eq!(taken.to_string(), "there is already a user named ann");
        assert_eq!(rig.store.users().await.unwrap(), [ann, ben]);
    }
}

contract! {
    async fn a_user_is_given_another_identity_by_whoever_saw_the_last_one(rig: Rig) {
        let ann = rig.user().await;
        assert!(ann.identity.is_blank());
        let first = Identity {
            role: UserRole::Operator,
            password: Some(PasswordHash("$argon2id$…".into())),
            epoch: 1,
            mac: "k1.mac".into(),
            ..Identity::default()
        };
        let second = Identity { disabled_at: Some(rig.now()), epoch: 2, ..first.clone() };
        let set = async |before: &Identity, after: &Identity| {
            rig.store.set_identity(ann.id, before, after.clone()).await.unwrap()
        };
        assert!(!set(&first, &second).await, "it has none yet");
        assert!(set(&Identity::default(), &first).await);
        assert!(!set(&Identity::default(), &second).await, "it has one by now");
        let user = rig.store.user(ann.id).await.unwrap().unwrap();
        assert_eq!(user, User { identity: first.clone(), ..ann.clone() });
        assert!(set(&first, &second).await);
        let ben = rig.user().await;
        let last = User { identity: second.clone(), ..ann.clone() };
        assert_eq!(rig.store.user_named(&ann.name).await.unwrap(), Some(last.clone()));
        assert_eq!(rig.store.users().await.unwrap(), [last, ben]);
        let nobody = UserId(99);
        assert_eq!(rig.store.user(nobody).await.unwrap(), None);
        assert!(!rig.store.set_identity(nobody, &Identity::default(), second).await.unwrap());
    }
}

contract! {
    async fn a_user_is_enrolled_with_its_identity_or_not_at_all(rig: Rig) {
        let store = &rig.store;
        let given = Identity { role: UserRole::Operator, epoch: 1, mac: "k1.mac".into(), ..Identity::default() };
        let boss = User {
            id: store.reserve_user_id().await.unwrap(),
            name: "boss".into(),
            pool: store.reserve_pool_id().await.unwrap(),
            created_at: rig.now(),
            identity: given.clone(),
        };
        assert_eq!(store.user(boss.id).await.unwrap(), None);
        store.enrol(boss.clone()).await.unwrap();
        assert_eq!(store.user_named("boss").await.unwrap(), Some(boss.clone()));
        assert_eq!(store.users().await.unwrap(), std::slice::from_ref(&boss));
        // Again, as after an answer that was lost.
        store.enrol(boss.clone()).await.unwrap();
        let id = store.reserve_user_id().await.unwrap();
        let namesake = User { id, ..boss.clone() };
        let twin = User { name: "other".into(), ..boss.clone() };
        for taken in [namesake, twin] {
            let refused = store.enrol(taken.clone()).await.unwrap_err();
            assert!(matches!(refused, StoreError::Taken(_)), "{refused}");
        }
        assert_eq!(store.user(id).await.unwrap(), None);
        assert_eq!(store.user_named("other").await.unwrap(), None);
        let ann = store.add_user("ann").await.unwrap();
        assert!(ann.id != boss.id && ann.pool != boss.pool);
        let taken = store.add_user("boss").await.unwrap_err();
        assert_eq!(taken.to_string(), "there is already a user named boss");
        let after = Identity { epoch: 2, ..given };
        assert!(store.set_identity(boss.id, &boss.identity, after).await.unwrap());
    }
}

contract! {
    async fn an_identity_is_given_only_beside_another_that_is_still_as_it_was_read(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        let is = |epoch| Identity { epoch, ..Identity::default() };
        let set = async |beside: &User, before: &Identity, after: &Identity| {
            rig.store.set_identity_beside(beside, ann.id, before, after.clone()).await.unwrap()
        };
        assert!(set(&ben, &ann.identity, &is(1)).await, "neither has one yet");
        assert!(!set(&ben, &ann.identity, &is(2)).await, "it has another one by now");
        assert!(rig.store.set_identity(ben.id, &ben.identity, is(1)).await.unwrap());
        assert!(!set(&ben, &is(1), &is(2)).await, "the other has another one by now");
        let ben = rig.store.user(ben.id).await.unwrap().unwrap();
        assert!(set(&ben, &is(1), &is(2)).await);
        assert_eq!(rig.store.user(ann.id).await.unwrap().unwrap().identity, is(2));
    }
}

contract! {
    async fn of_operators_who_all_step_down_at_once_one_stays(rig: Rig) {
        let vault = Vault::new(&KeyRing::parse(&KeyRing::generate().unwrap()).unwrap());
        let (store, mut operators): (&dyn Directory, Vec<User>) = (&*rig.store, Vec::new());
        for _ in 0..3 {
            operators.push(rig.user().await);
        }
        for round in 0..10 {
            for user in &operators {
                change(store, &vault, user.id, |it| it.role = UserRole::Operator).await.unwrap();
            }
            let step_down = |it: &mut Identity| it.role = UserRole::Member;
            let all = operators.iter().map(|user| {
                change_but_the_last_operator(store, &vault, user.id, step_down)
            });
            let all = futures_util::future::join_all(all).await;
            let count = |is: fn(&Changed) -> bool| all.iter().flatten().filter(|it| is(it)).count();
            assert_eq!(count(|it| matches!(it, Changed::Done(_))), 2, "round {round}: {all:?}");
            assert_eq!(count(|it| matches!(it, Changed::LastOperator)), 1, "round {round}: {all:?}");
        }
        let nobody = change_but_the_last_operator(store, &vault, UserId(99), |_| {}).await;
        assert!(matches!(nobody, Ok(Changed::NoUser)));
    }
}

contract! {
    async fn of_two_who_change_a_user_at_once_one_does(rig: Rig) {
        let ann = rig.user().await;
        let crowd = (1..=20).map(|epoch| {
            let after = Identity { epoch, ..Identity::default() };
            rig.store.set_identity(ann.id, &ann.identity, after)
        });
        let done = futures_util::future::join_all(crowd).await;
        assert_eq!(done.into_iter().filter(|done| *done.as_ref().unwrap()).count(), 1);
    }
}

#[tokio::test]
async fn an_identity_outlives_the_process() {
    let mut rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let given = Identity { epoch: 1, ..Identity::default() };
    assert!(rig.store.set_identity(ann.id, &ann.identity, given.clone()).await.unwrap());
    let (id, pool) = (rig.store.reserve_user_id().await, rig.store.reserve_pool_id().await);
    let (id, pool, name) = (id.unwrap(), pool.unwrap(), "boss".to_owned());
    let boss = User { id, name, pool, created_at: rig.now(), identity: given.clone() };
    rig.store.enrol(boss.clone()).await.unwrap();
    rig.crash();
    assert_eq!(rig.store.user(ann.id).await.unwrap().unwrap().identity, given);
    assert_eq!(rig.store.user(id).await.unwrap(), Some(boss));
}

contract! {
    async fn a_token_is_found_by_its_index_until_it_is_revoked(rig: Rig) {
        let ann = rig.user().await;
        let row = token(&rig, &ann, "index-1").await;
        let other = token(&rig, &ann, "index-2").await;
        assert_ne!(row.grant.id, other.grant.id);
        assert_eq!(*rig.store.token("index-1").await.unwrap().unwrap(), row);
        assert_eq!(rig.store.token("index-0").await.unwrap(), None);
        assert!(matches!(rig.store.add_token(row.clone()).await, Err(StoreError::Taken(_))));

        assert!(rig.store.revoke_token(row.grant.id).await.unwrap());
        let revoked_at = Some(rig.now());
        rig.pass_secs(1);
        // Revoking again does not move the time.
        assert!(rig.store.revoke_token(row.grant.id).await.unwrap());
        // Nor can one who writes the store make it good again: its MAC is gone.
        let revoked = GatewayTokenRow { revoked_at, mac: "revoked".into(), ..row };
        assert_eq!(*rig.store.token("index-1").await.unwrap().unwrap(), revoked);
        assert_eq!(rig.store.tokens_of(ann.id).await.unwrap(), [revoked, other]);
        assert!(!rig.store.revoke_token(TokenId(999)).await.unwrap());
    }
}

contract! {
    async fn a_token_gets_another_index_and_is_revoked_under_both(rig: Rig) {
        let ann = rig.user().await;
        let old = token(&rig, &ann, "old.1").await;
        let new = GatewayTokenRow {
            index: "new.1".into(),
            mac: "new mac".into(),
            first_index: Some("old.1".into()),
            ..old.clone()
        };
        let stale = GatewayTokenRow { name: "other".into(), ..old.clone() };
        assert!(!rig.store.reindex_token(&stale, new.clone()).await.unwrap());
        assert_eq!(rig.store.token("new.1").await.unwrap(), None);

        assert!(rig.store.reindex_token(&old, new.clone()).await.unwrap());
        assert_eq!(*rig.store.token("new.1").await.unwrap().unwrap(), new);
        assert_eq!(rig.store.tokens_of(ann.id).await.unwrap(), std::slice::from_ref(&new));

        // A later rotation.
        let newer = GatewayTokenRow { index: "newer.1".into(), ..new.clone() };
        assert!(rig.store.reindex_token(&new, newer.clone()).await.unwrap());
        assert_eq!(rig.store.tokens_of(ann.id).await.unwrap(), std::slice::from_ref(&newer));

        assert!(rig.store.revoke_token(old.grant.id).await.unwrap());
        for index in ["newer.1", "new.1", "old.1"] {
            let row = rig.store.token(index).await.unwrap();
            assert!(row.is_none_or(|row| row.revoked_at.is_some() && row.mac == "revoked"));
        }
        let next = GatewayTokenRow { index: "next.1".into(), ..newer.clone() };
        assert!(!rig.store.reindex_token(&newer, next).await.unwrap());
        assert_eq!(rig.store.token("next.1").await.unwrap(), None);
    }
}

contract! {
    async fn no_row_of_a_token_outlives_its_revoking(rig: Rig) {
        let ann = rig.user().await;
        for number in 0..20 {
            let old = token(&rig, &ann, &format!("old.{number}")).await;
            let index = format!("new.{number}");
            let new = GatewayTokenRow { index: index.clone(), ..old.clone() };
            let (moved, revoked) =
                tokio::join!(rig.store.reindex_token(&old, new), rig.store.revoke_token(old.grant.id));
            assert!(moved.is_ok() && revoked.unwrap());
            for index in [&old.index, &index] {
                let row = rig.store.token(index).await.unwrap();
                assert!(row.is_none_or(|row| row.revoked_at.is_some() && row.mac == "revoked"));
            }
        }
    }
}

#[tokio::test]
async fn another_index_outlives_the_process() {
    let mut rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let old = token(&rig, &ann, "old.1").await;
    let new = GatewayTokenRow { index: "new.1".into(), ..old.clone() };
    assert!(rig.store.reindex_token(&old, new.clone()).await.unwrap());
    rig.crash();
    assert_eq!(*rig.store.token("new.1").await.unwrap().unwrap(), new);
    assert_eq!(rig.store.token("old.1").await.unwrap(), None);
}

contract! {
    async fn an_account_is_shown_as_it_was_bound(rig: Rig) {
        let ann = rig.user().await;
        let new = rig.new_account(&ann, "qwen", vec![day(100)]).await;
        rig.store.add_account(new.clone()).await.unwrap();
        let fixed = rig.store.account(new.id).await.unwrap().unwrap();
        assert_eq!((fixed.id, fixed.owner, fixed.pool), (new.id, ann.id, ann.pool));
        assert_eq!((&fixed.name, &fixed.sealed), (&new.name, &new.sealed));
        let shown = rig.shown(&ann, new.id).await;
        assert_eq!(shown.account.name, new.name);
        assert_eq!(shown.health, Health::Active);
        assert_eq!(shown.windows[0].limit, new.windows[0].limit);
        assert_eq!(shown.last_used_at, None);
        let unknown = tributary::accounts::AccountId(12345);
        assert!(rig.store.account(unknown).await.unwrap().is_none());
        assert_eq!(rig.store.set_health(unknown, Health::Active).await.unwrap(), None);
    }
}

contract! {
    async fn a_name_is_taken_within_its_pool_and_platform_alone(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        for (user, platform, free) in
            [(&ann, "qwen", true), (&ann, "glm", true), (&ben, "qwen", true), (&ann, "qwen", false)]
        {
            let mut new = rig.new_account(user, platform, vec![]).await;
            new.name = "main".into();
            let id = new.id;
            let answer = rig.store.add_account(new).await;
            assert_eq!(answer.is_ok(), free, "{answer:?}");
            assert_eq!(rig.store.account(id).await.unwrap().is_some(), free);
        }
        let pools = [ann.pool, ben.pool];
        let states = rig.store.accounts_in(&pools, &rig.resets()).await.unwrap();
        let ids: Vec<_> = states.iter().map(|state| state.account.id).collect();
        assert!(ids.len() == 3 && ids.is_sorted(), "{ids:?}");
    }
}

contract! {
    async fn the_zones_of_all_windows_are_known(rig: Rig) {
        assert_eq!(rig.store.zones().await.unwrap(), [""; 0]);
        let (ann, ben) = (rig.user().await, rig.user().await);
        let lima = Period::Day { zone: "America/Lima".into() };
        let lima = WindowSpec { period: lima, limit: None, ..day(0) };
        rig.account_with(&ann, "qwen", vec![day(100), hours(5, 100)]).await;
        rig.account_with(&ben, "glm", vec![lima, day(100)]).await;
        rig.account_with(&ben, "spark", vec![]).await;
        let mut zones = rig.store.zones().await.unwrap();
        zones.sort();
        assert_eq!(zones, ["America/Lima", "Asia/Shanghai"]);
    }
}

contract! {
    async fn health_is_kept_with_its_reason(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        let until = rig.now() + jiff::SignedDuration::from_secs(60);
        let reason = String::from("Throttling.RateQuota \"限流\"");
        for health in [
            Health::Cooling { until, reason: reason.clone(), out_of_quota: false, tries_at: None },
            Health::Cooling {
                until,
                reason: reason.clone(),
                out_of_quota: true,
                tries_at: Some(until - jiff::SignedDuration::from_secs(30)),
            },
            Health::Banned { reason: reason.clone() },
            Health::Disabled { reason: reason.clone() },
            Health::Locked { reason },
        ] {
            rig.store.set_health(one, health.clone()).await.unwrap().unwrap();
            assert_eq!(rig.shown(&ann, one).await.health, health);
        }
    }
}

contract! {
    async fn the_seals_of_each_key_are_counted_apart(rig: Rig) {
        let counted = async |kid| rig.store.count_seals(kid, 1).await.unwrap();
        for seals in 1..=3 {
            assert_eq!(counted("k1").await, seals);
        }
        assert_eq!((counted("k2").await, counted("k1").await), (1, 4));
        // Whoever counts at once gets a number of its own.
        let crowd = futures_util::future::join_all((0..20).map(|_| counted("k2"))).await;
        assert_eq!(BTreeSet::from_iter(crowd), BTreeSet::from_iter(2..=21));
    }
}

#[tokio::test]
async fn the_seals_of_a_key_outlive_the_process() {
    let mut rig = Rig::sqlite(Wish::default());
    assert_eq!(rig.store.count_seals("k1", 1).await.unwrap(), 1);
    rig.crash();
    assert_eq!(rig.store.count_seals("k1", 1).await.unwrap(), 2);
    let rig = Rig::reopened(rig);
    assert_eq!(rig.store.count_seals("k1", 1).await.unwrap(), 3);
    // The ids that are counted beside them are as they were.
    assert_eq!(rig.store.reserve_account_id().await.unwrap().0, 1);
}

contract! {
    async fn canaries_are_kept_once_each(rig: Rig) {
        for canary in ["k1:aa", "k2:bb", "k1:aa"] {
            rig.store.add_canary(canary).await.unwrap();
        }
        assert_eq!(rig.store.canaries().await.unwrap(), ["k1:aa", "k2:bb"]);
    }
}
