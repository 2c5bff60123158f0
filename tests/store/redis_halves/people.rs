//! What people, their records and what they are told are written by.

use tributary::accounts::{
    Channel, Closing, Deed, Doer, Identity, Matter, Membership, NewNotice, Seating, Team, TeamRole,
    TokenId, Tokens, User, UserId, UserRole,
};
use tributary::store::{Reading, write_down};
use tributary::vault::{KeyRing, Vault};

use super::Ground;
use crate::records::record;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_met_something_else_is_counted_once_and_goes_whole() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let day = rig.now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let totals_key = format!("totals:{day}");
    for part in ["ri", "rb", "ra", "rs", "days", &totals_key, "gone"] {
        let user = rig.user().await;
        let account = rig.account(&user, 10).await;
        let mut one = record(rig, &user, "one");
        one.attempts[0].account = account;
        let key = format!("{{u:{}}}:{part}", user.id);
        let write = async || rig.record(vec![one.clone()]).await;
        assert!(ground.meets(&key, write).await, "{part}");
        write().await.unwrap();
        let totals = rig.store.totals_of(user.id, day, day).await.unwrap();
        assert_eq!(totals.iter().map(|total| total.counts.calls).collect::<Vec<_>>(), [1]);
        let found = rig.store.records_of(user.id, None, 10).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&one), "{part}");
        let remove = async || rig.store.remove_account(account).await.map(drop);
        assert!(ground.meets_in_steps(&key, remove).await, "{part}");
        assert_eq!(rig.store.records_of(user.id, None, 10).await.unwrap(), []);
        write().await.unwrap();
        let totals = rig.store.totals_of(user.id, day, day).await.unwrap();
        let counted = totals.iter().map(|it| (it.key.account, it.counts.calls));
        assert_eq!(counted.collect::<Vec<_>>(), [(None, 1)], "{part}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_met_something_else_is_added_whole() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    for (number, part) in ["names", "users", "counters"].into_iter().enumerate() {
        let key = format!("{{us}}:{part}");
        let name = format!("ann {number}");
        assert!(ground.meets(&key, async || rig.store.add_user(&name).await.map(drop)).await);
        let user = rig.store.user_named(&name).await.unwrap().unwrap();
        assert_eq!(rig.store.user(user.id).await.unwrap(), Some(user));
    }
    for (number, part) in ["names", "users", "identities"].into_iter().enumerate() {
        let identity = Identity {
            role: UserRole::Operator,
            epoch: 1,
            mac: "k1.mac".into(),
            ..Identity::default()
        };
        let boss = User {
            id: rig.store.reserve_user_id().await.unwrap(),
            name: format!("boss {number}"),
            pool: rig.store.reserve_pool_id().await.unwrap(),
            created_at: rig.now(),
            identity,
        };
        let key = format!("{{us}}:{part}");
        assert!(ground.meets(&key, async || rig.store.enrol(boss.clone()).await).await);
        assert_eq!(rig.store.user(boss.id).await.unwrap(), Some(boss));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_membership_that_met_something_else_is_seen_from_both_sides() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let seat = |pool, user| Membership {
        pool,
        user,
        role: TeamRole::Owner,
        joined_at: rig.now(),
        mac: format!("k.{pool}-{user}"),
    };
    for part in 0..5 {
        let (ann, ben) = (rig.user().await, rig.user().await);
        let id = rig.store.reserve_pool_id().await.unwrap();
        let team = Team { id, name: "lab".into(), created_at: rig.now() };
        let key = |user: &User| match part {
            0 => "{us}:teams".to_owned(),
            1 => format!("{{us}}:members:{id}"),
            2 => format!("{{us}}:teams_of:{}", user.id),
            3 => format!("{{us}}:ever_in:{id}"),
            _ => format!("{{us}}:ever_of:{}", user.id),
        };
        let done = |seating| assert_eq!(seating, Seating::Done);
        let found = async || rig.store.found_team(team.clone(), seat(id, ann.id)).await.map(done);
        assert!(ground.meets(&key(&ann), found).await, "{part}");
        let join = async || rig.store.seat(None, seat(id, ben.id)).await.map(done);
        assert!(ground.meets(&key(&ben), join).await, "{part}");
        for user in [&ann, &ben] {
            let of_user = rig.store.memberships_of(user.id).await.unwrap();
            assert_eq!(of_user, [seat(id, user.id)]);
        }
        assert_eq!(rig.store.ever_members_of(id).await.unwrap(), [ann.id, ben.id]);
        let leave = async || rig.store.unseat(id, ben.id).await.map(done);
        ground.meets(&key(&ben), leave).await;
        assert_eq!(rig.store.memberships_of(ben.id).await.unwrap(), []);
        let close = async || {
            assert_eq!(rig.store.close_team(id).await?, Closing::Done);
            Ok(())
        };
        ground.meets_in_steps(&key(&ann), close).await;
        assert_eq!(rig.store.memberships_of(ann.id).await.unwrap(), []);
        assert_eq!(rig.store.teams().await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_that_met_something_else_is_posted_and_sent() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let channel = Channel::Webhook;
    for part in 0..5 {
        let user = rig.user().await;
        let account = rig.account(&user, 10).await;
        let key = match part {
            0 => "{no}:log".to_owned(),
            1 => format!("{{no}}:p:{}", user.pool),
            2 => format!("{{no}}:a:{account}"),
            3 => format!("{{no}}:q:{}", channel.name()),
            _ => format!("{{no}}:n:{}", channel.name()),
        };
        let post = async || {
            let new = NewNotice {
                key: format!("quota of {account}"),
                instead_of: Vec::new(),
                owner: user.id,
                pool: user.pool,
                account,
                platform: "qwen".into(),
                name: "one".into(),
                matter: Matter::Quota {
                    percent: 70,
                    period: "day".into(),
                    used: Tokens(7),
                    limit: Tokens(10),
                    resets_at: None,
                },
            };
            rig.store.post_notice(new, &[channel]).await.map(|posted| assert!(posted.is_some()))
        };
        ground.meets_in_steps(&key, post).await;
        let life = std::time::Duration::from_secs(60);
        let claim = async || {
            let claimed = rig.store.claim_notices(channel, 10, life).await?;
            assert_eq!(claimed.iter().map(|one| one.tries).collect::<Vec<_>>(), [1]);
            rig.store.end_delivery(channel, claimed[0].notice.id, None).await
        };
        if part == 4 {
            assert!(ground.meets(&key, claim).await);
        } else {
            claim().await.unwrap();
        }
        let pools = [user.pool];
        let seen = rig.store.notices_in(&pools, user.id, Reading::All, None, 9).await.unwrap();
        assert_eq!(seen.len(), 1, "{part}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_the_audit_log_that_met_something_else_shows_to_each_of_its_readers() {
    let ground = Ground::new().await;
    let rig = &ground.rig;
    let key = "old:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let vault = Vault::new(&KeyRing::parse(key).unwrap());
    let (doer, owner) = (UserId(2), UserId(1));
    for (number, list) in ["{au}:log", "{au}:of:1", "{au}:of:2"].into_iter().enumerate() {
        let write = async || {
            let deed = Deed::new(Doer::token(doer, TokenId(9)), "account.bind", "account", 5);
            write_down(&*rig.store, &vault, deed.of(owner)).await
        };
        assert!(ground.meets(list, write).await, "{list}");
        for reader in [doer, owner] {
            let rows = rig.store.audit_of(Some(reader), None, 10).await.unwrap();
            assert_eq!(rows.len(), number + 1, "{list}");
        }
    }
}
