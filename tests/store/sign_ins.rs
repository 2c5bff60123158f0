//! Console sessions, one-time links, and how often a sign-in may be tried.

use std::time::Duration;

use tributary::accounts::{
    AttemptKey, LinkPurpose, LinkRow, SessionGrant, SessionRow, User, UserId,
};
use tributary::store::MOST_SESSIONS;

use crate::contract;
use crate::rig::{Rig, Wish};

/// A session that is good for a week.
fn session(rig: &Rig, user: &User, id: &str) -> SessionRow {
    SessionRow {
        index: format!("k1.{id}"),
        grant: SessionGrant {
            id: id.into(),
            user: user.id,
            epoch: 1,
            created_at: rig.now(),
            ends_at: rig.now() + jiff::SignedDuration::from_hours(7 * 24),
        },
        mac: "mac".into(),
        used_at: rig.now(),
        agent: "a browser \"…\"".into(),
    }
}

fn link(rig: &Rig, purpose: LinkPurpose, index: &str) -> LinkRow {
    LinkRow { index: index.into(), purpose, ends_at: rig.now(), mac: "mac".into() }
}

contract! {
    async fn a_session_is_found_until_it_is_ended(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        let (one, two) = (session(&rig, &ann, "one"), session(&rig, &ann, "two"));
        let bens = session(&rig, &ben, "bens");
        for row in [&one, &two, &bens] {
            rig.store.add_session(row.clone()).await.unwrap();
        }
        assert_eq!(rig.store.session("k1.one").await.unwrap(), Some(one.clone()));
        assert_eq!(rig.store.session("k1.none").await.unwrap(), None);
        assert_eq!(rig.store.sessions_of(ann.id).await.unwrap(), [one.clone(), two.clone()]);

        rig.pass_secs(60);
        rig.store.touch_session("k1.one", rig.now()).await.unwrap();
        let used = SessionRow { used_at: rig.now(), ..one };
        assert_eq!(rig.store.session("k1.one").await.unwrap(), Some(used.clone()));
        assert_eq!(rig.store.sessions_of(ann.id).await.unwrap(), [used, two.clone()]);

        // Nobody ends another's.
        assert!(!rig.store.end_session(ann.id, "bens").await.unwrap());
        assert!(rig.store.end_session(ann.id, "one").await.unwrap());
        assert!(!rig.store.end_session(ann.id, "one").await.unwrap());
        assert_eq!(rig.store.session("k1.one").await.unwrap(), None);
        // Using it brings it not back.
        rig.store.touch_session("k1.one", rig.now()).await.unwrap();
        assert_eq!(rig.store.session("k1.one").await.unwrap(), None);
        assert_eq!(rig.store.sessions_of(ann.id).await.unwrap(), [two]);
        assert_eq!(rig.store.sessions_of(ben.id).await.unwrap(), [bens]);
    }
}

contract! {
    async fn a_user_has_so_many_sessions_and_the_longest_unused_goes_first(rig: Rig) {
        let ann = rig.user().await;
        for number in 0..MOST_SESSIONS {
            rig.store.add_session(session(&rig, &ann, &format!("s{number:02}"))).await.unwrap();
            rig.pass_secs(1);
        }
        rig.store.touch_session("k1.s00", rig.now()).await.unwrap();
        rig.store.add_session(session(&rig, &ann, "last")).await.unwrap();
        let ids = async || {
            let rows = rig.store.sessions_of(ann.id).await.unwrap();
            rows.into_iter().map(|row| row.grant.id).collect::<Vec<_>>()
        };
        assert_eq!(ids().await.len(), MOST_SESSIONS);
        assert_eq!(rig.store.session("k1.s01").await.unwrap(), None);
        assert!(rig.store.session("k1.s00").await.unwrap().is_some());
        // Those that have ended make room.
        rig.pass(Duration::from_secs(7 * 24 * 3600));
        rig.store.add_session(session(&rig, &ann, "next")).await.unwrap();
        assert_eq!(ids().await, ["next"]);
    }
}

contract! {
    async fn a_link_is_used_once_and_a_new_one_takes_its_place(rig: Rig) {
        let (setup, reset) = (LinkPurpose::Setup, LinkPurpose::Password(UserId(7)));
        assert_eq!(rig.store.link(setup).await.unwrap(), None);
        let (old, new) = (link(&rig, setup, "k1.old"), link(&rig, setup, "k1.new"));
        let other = link(&rig, reset, "k1.other");
        for row in [&old, &new, &other] {
            rig.store.keep_link(row.clone()).await.unwrap();
        }
        assert_eq!(rig.store.link(setup).await.unwrap(), Some(new.clone()));
        assert!(!rig.store.take_link(&old).await.unwrap());
        let crowd = (0..20).map(|_| rig.store.take_link(&new));
        let taken = futures_util::future::join_all(crowd).await;
        assert_eq!(taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 1);
        assert_eq!(rig.store.link(setup).await.unwrap(), None);
        assert_eq!(rig.store.link(reset).await.unwrap(), Some(other));
    }
}

contract! {
    async fn sign_ins_are_tried_five_times_and_then_ever_more_slowly(rig: Rig) {
        let name = AttemptKey::Name("k1.hash".into());
        let tried = async || rig.store.try_sign_in(&name).await.unwrap();
        // However many come at once.
        let crowd = (0..20).map(|_| rig.store.try_sign_in(&name));
        let crowd = futures_util::future::join_all(crowd).await;
        assert_eq!(crowd.into_iter().filter(|one| one.as_ref().unwrap().is_ok()).count(), 5);
        for minutes in [1, 2, 4, 8, 15, 15] {
            assert_eq!(tried().await, Err(Duration::from_secs(minutes * 60)));
            rig.pass_secs(minutes * 60 - 1);
            assert_eq!(tried().await, Err(Duration::from_secs(1)));
            rig.pass_secs(1);
            assert_eq!(tried().await, Ok(()));
        }
        let other = AttemptKey::Name("k1.other".into());
        assert_eq!(rig.store.try_sign_in(&other).await.unwrap(), Ok(()));
        rig.store.signed_in(&name).await.unwrap();
        for _ in 0..5 {
            assert_eq!(tried().await, Ok(()));
        }
        assert!(tried().await.is_err());
        rig.pass_secs(3600);
        assert_eq!(tried().await, Ok(()));
    }
}

contract! {
    async fn an_address_tries_thirty_times_a_quarter_of_an_hour(rig: Rig) {
        let address = AttemptKey::Address("2001:db8::/64".into());
        let tried = async || rig.store.try_sign_in(&address).await.unwrap();
        for _ in 0..30 {
            assert_eq!(tried().await, Ok(()));
        }
        rig.pass_secs(60);
        assert_eq!(tried().await, Err(Duration::from_secs(14 * 60)));
        // One that succeeded does not count.
        rig.store.signed_in(&address).await.unwrap();
        assert_eq!(tried().await, Ok(()));
        assert!(tried().await.is_err());
        rig.pass_secs(14 * 60);
        assert_eq!(tried().await, Ok(()));
    }
}

#[tokio::test]
async fn sessions_and_links_outlive_the_process() {
    let mut rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let (one, gone) = (session(&rig, &ann, "one"), session(&rig, &ann, "gone"));
    let kept = link(&rig, LinkPurpose::Setup, "k1.link");
    for row in [&one, &gone] {
        rig.store.add_session(row.clone()).await.unwrap();
    }
    assert!(rig.store.end_session(ann.id, "gone").await.unwrap());
    rig.store.keep_link(kept.clone()).await.unwrap();
    rig.crash();
    assert_eq!(rig.store.sessions_of(ann.id).await.unwrap(), [one]);
    assert_eq!(rig.store.link(LinkPurpose::Setup).await.unwrap(), Some(kept));
}
