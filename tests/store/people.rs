//! Users, tokens, accounts and the key ring's canaries.

use std::num::NonZeroU32;

use tributary::accounts::{
    GatewayTokenRow, Health, Period, Scope, Spending, TokenGrant, TokenId, Tokens, User, WindowSpec,
};
use tributary::store::StoreError;

use crate::contract;
use crate::rig::{Rig, day, hours};

async fn token(rig: &Rig, user: &User, index: &str) -> GatewayTokenRow {
    let row = GatewayTokenRow {
        index: index.into(),
        grant: TokenGrant {
            id: rig.store.reserve_token_id().await.unwrap(),
            user: user.id,
            pools: vec![user.pool],
            scopes: vec![Scope::Chat, Scope::AccountsRead],
            models: vec![],
            platforms: vec!["qwen".into()],
            expires_at: Some(rig.now()),
            points: Spending::Never,
            requests_per_minute: NonZeroU32::new(60),
            tokens_per_day: Some(Tokens(1_000_000)),
        },
        mac: "mac".into(),
        name: "laptop".into(),
        prefix: "tr-abc".into(),
        last_four: "wxyz".into(),
        created_at: rig.now(),
        revoked_at: None,
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
    async fn canaries_are_kept_once_each(rig: Rig) {
        for canary in ["k1:aa", "k2:bb", "k1:aa"] {
            rig.store.add_canary(canary).await.unwrap();
        }
        assert_eq!(rig.store.canaries().await.unwrap(), ["k1:aa", "k2:bb"]);
    }
}
