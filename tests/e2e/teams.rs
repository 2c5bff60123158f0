//! Teams: whoever is a member draws from the pool, and nobody else.

use http::{Method, Request};
use serde_json::{Value, json};
use tributary::accounts::{Membership, Seating, TeamRole};

use crate::accounts::all_scopes;
use crate::both;
use crate::rig::{Answer, Grants, KEYS, Rig, ask};

/// The surface, as somebody's token sees it.
struct As<'a> {
    rig: &'a Rig,
    token: String,
}

impl As<'_> {
    async fn call(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.rig.send(request, body).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.call(Method::GET, path, Value::Null).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }
}

/// A gateway that looks callers up each time.
pub fn fresh() -> crate::rig::Wish {
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

both! {
    async fn a_team_lives_over_rest(rig: Rig) {
        let (stranger, _) = rig.stranger().await;
        let owner = As { rig: &rig, token: rig.token(&rig.user, all_scopes()).await.1 };
        let member = As { rig: &rig, token: rig.token(&stranger, all_scopes()).await.1 };
        let own = owner.get("/pools").await;
        assert_eq!(own["data"].as_array().unwrap().len(), 1);
        assert_eq!((&own["data"][0]["kind"], &own["data"][0]["role"]), (&json!("personal"), &json!("owner")));
        let personal = format!("/pools/{}", rig.user.pool);
        for (method, body) in [(Method::PATCH, json!({"name": "n"})), (Method::DELETE, Value::Null)] {
            let refused = owner.call(method, &personal, body).await;
            assert_eq!(refused.row(), "400 invalid_request_error personal_pool param=pool_id");
        }
        let sticky = owner.call(Method::PATCH, &personal, json!({"policy": "sticky"})).await.json();
        assert_eq!((&sticky["policy"], &sticky["policy_is_default"]), (&json!("sticky"), &json!(false)));
        let usual = owner.call(Method::PATCH, &personal, json!({"policy": null})).await.json();
        assert_eq!((&usual["policy"], &usual["policy_is_default"]), (&json!("most_remaining"), &json!(true)));

        let named = |name: &str| json!({"name": name});
        assert_eq!(owner.call(Method::POST, "/pools", named("a\nb")).await.status, 400);
        let made = owner.call(Method::POST, "/pools", named("lab")).await;
        assert_eq!(made.status, 201, "{made:?}");
        let (lab, id) = (format!("/pools/{}", made.json()["id"]), made.json()["id"].clone());
        assert_eq!(member.call(Method::GET, &lab, Value::Null).await.status, 404);
        let seat = |name: &str| format!("{lab}/members/{name}");
        let nobody = owner.call(Method::PUT, &seat("nobody"), json!({})).await;
        assert_eq!(nobody.row(), "404 invalid_request_error user_not_found param=user");
        let seated = owner.call(Method::PUT, &seat("stranger"), json!({})).await;
        assert_eq!((seated.status.as_u16(), &seated.json()["role"]), (200, &json!("member")));
        assert_eq!(member.get(&lab).await["role"], "member");
        let members = member.get(&format!("{lab}/members")).await;
        assert_eq!((&members["data"][0]["user"], &members["data"][1]["user"]), (&json!("tester"), &json!("stranger")));
        assert_eq!(member.get("/me").await["limits"]["pools"], json!([stranger.pool, id]));

        // Each brings one; one is bound where the token says.
        let bind = |name: &str, key: usize| json!({"platform": "qwen", "account_name": name,
            "key": KEYS[1].1[key], "pool": id});
        let bound = owner.call(Method::POST, "/oauth/accounts", bind("theirs", 0)).await.json();
        assert_eq!((&bound["pool"], &bound["is_own"]), (&id, &json!(true)));
        let own = member.call(Method::POST, "/oauth/accounts", bind("own", 1)).await.json();
        let foreign = json!({"platform": "qwen", "account_name": "n", "key": KEYS[1].1[1],
            "pool": rig.user.pool});
        let refused = member.call(Method::POST, "/oauth/accounts", foreign).await;
        assert_eq!(refused.row(), "404 invalid_request_error pool_not_found param=pool_id");
        let seen = member.get(&format!("/oauth/accounts/{}", bound["id"])).await;
        assert_eq!((&seen["is_own"], &seen["status"]), (&json!(false), &json!("active")));
        let path = |account: &Value| format!("/oauth/accounts/{}", account["id"]);
        let off = json!({"enabled": false});
        let refused = member.call(Method::PATCH, &path(&bound), off.clone()).await;
        assert_eq!(refused.row(), "403 invalid_request_error owner_required");
        assert_eq!(member.call(Method::PATCH, &path(&own), off.clone()).await.status, 200);
        assert_eq!(owner.call(Method::PATCH, &path(&own), json!({"enabled": true})).await.status, 200);

        // A token for certain pools manages these alone.
        let grants = Grants { pools: vec![rig.user.pool], ..all_scopes() };
        let limited = As { rig: &rig, token: rig.token(&rig.user, grants).await.1 };
        assert_eq!(limited.call(Method::PATCH, &lab, named("n")).await.status, 404);
        let refused = limited.call(Method::POST, "/pools", named("n")).await;
        assert_eq!(refused.row(), "403 invalid_request_error token_limited");

        // Who has accounts there stays, and so does the last owner, and a team with accounts.
        let refused = member.call(Method::DELETE, &seat("stranger"), Value::Null).await;
        assert_eq!(refused.row(), "409 invalid_request_error member_has_accounts param=user");
        let refused = owner.call(Method::DELETE, &lab, Value::Null).await;
        assert_eq!(refused.row(), "409 invalid_request_error pool_not_empty param=pool_id");
        for account in [&own, &bound] {
            assert_eq!(owner.call(Method::DELETE, &path(account), Value::Null).await.status, 204);
        }
        let refused = member.call(Method::DELETE, &seat("tester"), Value::Null).await;
        assert_eq!(refused.row(), "403 invalid_request_error owner_required");
        for (method, body) in [(Method::DELETE, Value::Null), (Method::PUT, json!({"role": "member"}))] {
            let refused = owner.call(method, &seat("tester"), body).await;
            assert_eq!(refused.row(), "409 invalid_request_error last_owner param=user");
        }
        assert_eq!(member.call(Method::DELETE, &seat("stranger"), Value::Null).await.status, 204);
        assert_eq!(member.call(Method::GET, &lab, Value::Null).await.status, 404);
        let gone = owner.call(Method::DELETE, &seat("stranger"), Value::Null).await;
        assert_eq!(gone.row(), "404 invalid_request_error member_not_found param=user");
        assert_eq!(owner.call(Method::PATCH, &lab, named("studio")).await.json()["name"], "studio");
        assert_eq!(owner.call(Method::DELETE, &lab, Value::Null).await.status, 204);
        assert_eq!(owner.call(Method::GET, &lab, Value::Null).await.status, 404);
    }
}

both! {
    #[wish(fresh())]
    async fn what_a_member_used_of_a_team_shows_in_both_reports(rig: Rig) {
        let (stranger, _) = rig.stranger().await;
        let team = rig.team(&rig.user).await;
        rig.join(team, &stranger, TeamRole::Member).await;
        let account = rig.bring(team, &rig.user, "qwen", KEYS[1].1[0]).await;
        let owner = As { rig: &rig, token: rig.token(&rig.user, all_scopes()).await.1 };
        let member = As { rig: &rig, token: rig.token(&stranger, all_scopes()).await.1 };
        let answer = rig.chat_as(&member.token, ask("qwen-plus", "say 5 words")).await;
        assert_eq!(answer.account(), account.0, "{answer:?}");
        let report = format!("/usage?pool={team}");
        let by_member = format!("{report}&by=member,account");
        let mut rows = Value::Null;
        rig.until(async || {
            rows = owner.get(&by_member).await["data"].clone();
            rows[0]["exact"].as_u64().is_some_and(|exact| exact > 0) && rows[0]["calls"] == 1
        })
        .await;
        assert_eq!((&rows[0]["member"], &rows[0]["account"]), (&json!("stranger"), &json!(account)));
        let sums = member.get(&report).await["data"].clone();
        assert_eq!((&sums[0]["calls"], &sums[0]["exact"]), (&json!(1), &rows[0]["exact"]));
        let own = member.get("/usage?by=account").await["data"].clone();
        assert_eq!((&own[0]["account"], &own[0]["exact"]), (&json!(account), &rows[0]["exact"]));
        assert_eq!(owner.get("/usage?by=account").await["data"], json!([]));
        let refused = member.call(Method::GET, &by_member, Value::Null).await;
        assert_eq!(refused.row(), "403 invalid_request_error owner_required");
        for query in ["/usage?by=member", &format!("{report}&by=token")] {
            let refused = owner.call(Method::GET, query, Value::Null).await;
            assert_eq!(refused.row(), "400 invalid_request_error invalid_request_error param=by");
        }
        let sheet = owner.call(Method::GET, &format!("{by_member}&format=csv"), Value::Null).await;
        let sheet = String::from_utf8(sheet.body.to_vec()).unwrap();
        assert!(sheet.starts_with("day,member,token,") && sheet.contains(",stranger,"), "{sheet}");

        // It leaves: what it used stays in both.
        rig.store.unseat(team, stranger.id).await.unwrap();
        assert_eq!(owner.get(&by_member).await["data"], rows);
        assert_eq!(member.get("/usage?by=account").await["data"], own);
        let foreign = member.call(Method::GET, &report, Value::Null).await;
        assert_eq!(foreign.row(), "404 invalid_request_error pool_not_found param=pool_id");
        // What it said is its alone.
        let said = owner.get(&format!("/oauth/accounts/{account}/usage")).await;
        assert_eq!(said["data"], json!([]));
    }
}
