//! Teams: whoever is a member draws from the pool, and nobody else.

use tributary::accounts::{Membership, Seating, TeamRole};

use crate::both;
use crate::rig::{Grants, KEYS, Rig, ask};

/// A gateway that looks callers up each time.
fn fresh() -> crate::rig::Wish {
    let relay = tributary::relay::Settings {
        token_cache: jiff::SignedDuration::ZERO,
        ..tributary::relay::Settings::default()
    };
    crate::rig::Wish { relay, ..crate::rig::Wish::default() }
}

// Invariant 6: a caller's lease never lands on an account outside the caller's pools, which
// are what its memberships are now.
both! {
    #[wish(fresh())]
    async fn a_token_draws_from_its_users_own_pool_then_from_its_teams_by_joining(rig: Rig) {
        let (member, token) = rig.stranger().await;
        let hello = || ask("qwen-plus", "hello");
        assert_eq!(rig.chat_as(&token, hello()).await.status, 404);
        let (first, second) = (rig.team(&rig.user).await, rig.team(&rig.user).await);
        let of_first = rig.bring(first, &rig.user, "qwen", KEYS[1].1[0]).await;
        let of_second = rig.bring(second, &rig.user, "qwen", KEYS[1].1[1]).await;
        assert_eq!(rig.chat_as(&token, hello()).await.status, 404, "it has not joined");
        rig.join(second, &member, TeamRole::Member).await;
        rig.join(first, &member, TeamRole::Member).await;
        let landed = async |token: &str| rig.chat_as(token, hello()).await.account();
        assert_eq!(landed(&token).await, of_second.0, "it joined that one first");
        let only = Grants { pools: vec![first], ..Grants::default() };
        let (_, only_first) = rig.token(&member, only).await;
        assert_eq!(landed(&only_first).await, of_first.0);
        let own = rig.bind(&member, "qwen", "own", KEYS[1].1[0], 1_000_000).await;
        assert_eq!(landed(&token).await, own.0);
        assert_eq!(landed(&only_first).await, of_first.0);

        assert_eq!(rig.store.unseat(first, member.id).await.unwrap(), Seating::Done);
        assert_eq!(rig.chat_as(&only_first, hello()).await.status, 404, "it left");
        rig.store.remove_account(own).await.unwrap();
        assert_eq!(landed(&token).await, of_second.0);
        assert_eq!(rig.store.unseat(second, member.id).await.unwrap(), Seating::Done);
        assert_eq!(rig.chat_as(&token, hello()).await.status, 404, "it left both");
        // Nor by its id.
        let mut pinned = hello();
        pinned["account_id"] = serde_json::json!(of_second);
        assert_eq!(rig.chat_as(&token, pinned).await.status, 404);
    }
}

// T-MINT: who can only write the store can't add himself to a team.
both! {
    #[wish(fresh())]
    async fn t_mint_memberships(rig: Rig) {
        let (stranger, token) = rig.stranger().await;
        let team = rig.team(&rig.user).await;
        rig.bring(team, &rig.user, "qwen", KEYS[1].1[0]).await;
        let founder = rig.store.members_of(team).await.unwrap().remove(0);
        for forged in [
            Membership { user: stranger.id, ..founder.clone() },
            Membership { user: stranger.id, role: TeamRole::Member, ..founder.clone() },
            Membership { user: stranger.id, mac: "k.AAAA".into(), ..founder },
        ] {
            assert_eq!(rig.store.seat(None, forged).await.unwrap(), Seating::Done);
            let answer = rig.chat_as(&token, ask("qwen-plus", "hello")).await;
            assert_eq!(answer.status, 404, "{answer:?}");
            rig.store.unseat(team, stranger.id).await.unwrap();
        }
        rig.join(team, &stranger, TeamRole::Member).await;
        assert_eq!(rig.chat_as(&token, ask("qwen-plus", "hello")).await.status, 200);
    }
}

both! {
    #[wish(fresh())]
    async fn a_member_who_left_gets_no_lease_while_others_call_at_once(rig: Rig) {
        let (member, token) = rig.stranger().await;
        let team = rig.team(&rig.user).await;
        let account = rig.bring(team, &rig.user, "qwen", KEYS[1].1[0]).await;
        for _ in 0..5 {
            rig.join(team, &member, TeamRole::Member).await;
            let call = || rig.chat_as(&token, ask("qwen-plus", "say 3 words"));
            let under_way = futures_util::future::join_all((0..8).map(|_| call()));
            let (answers, left) =
                tokio::join!(under_way, rig.store.unseat(team, member.id));
            assert_eq!(left.unwrap(), Seating::Done);
            for answer in answers {
                let landed = answer.status == 200 && answer.account() == account.0;
                assert!(landed || answer.status == 404, "{answer:?}");
            }
            let late = futures_util::future::join_all((0..8).map(|_| call())).await;
            assert!(late.iter().all(|answer| answer.status == 404), "{late:?}");
        }
    }
}
