//! Moving an account to another pool over REST: who may, what comes along, and that its
//! credential opens where it is alone.

use http::Method;
use serde_json::{Value, json};
use tributary::accounts::{Account, AccountId, NewAccount, PoolId, Priority, TeamRole};
use tributary::authorize::prove_owner;
use tributary::vault::Place;

use crate::accounts::{Surface, all_scopes};
use crate::both;
use crate::rig::{Answer, Grants, KEYS, Rig, ask};
use crate::teams::fresh;

const ACCOUNTS: &str = "/api/v1/oauth/accounts";

impl Surface<'_> {
    async fn send_to(&self, id: i64, pool: PoolId) -> Answer {
        self.set(id, json!({"pool": pool})).await
    }

    async fn set(&self, id: i64, change: Value) -> Answer {
        self.call(Method::PATCH, &format!("{ACCOUNTS}/{id}"), change).await
    }
}

/// All that an answer tells, but for what differs with every request.
fn told(answer: &Answer) -> (u16, Vec<u8>) {
    (answer.status.as_u16(), answer.body.to_vec())
}

async fn of(rig: &Rig, pool: PoolId, id: i64) -> Account {
    let states = rig.in_pool(pool).await.into_iter();
    states.map(|state| state.account).find(|account| account.id.0 == id).unwrap()
}

both! {
    #[wish(fresh())]
    async fn its_owner_moves_an_account_to_a_team_and_back(rig: Rig) {
        let owner = Surface::of(&rig).await;
        let (stranger, strangers) = rig.stranger().await;
        let team = rig.team(&rig.user).await;
        rig.join(team, &stranger, TeamRole::Member).await;
        let bound = json!({"platform": "glm", "account_name": "mine", "key": KEYS[2].1[0]});
        let id = owner.post(ACCOUNTS, bound).await.json()["id"].as_i64().unwrap();
        let pin = |model| {
            let mut ask = ask(model, "say 4 words");
            ask["account_id"] = json!(id);
            ask
        };
        let first = rig.chat(pin("glm-4.7")).await;
        assert_eq!(first.account(), id, "{first:?}");
        rig.record(&first).await;
        rig.all_settled("glm").await;
        assert_eq!(rig.chat_as(&strangers, pin("glm-4.7")).await.status, 404);
        let path = format!("{ACCOUNTS}/{id}");
        let before = owner.get(&path).await;

        let moved = owner.send_to(id, team).await;
        assert_eq!(moved.status, 200, "{moved:?}");
        let mut after = moved.json();
        assert_eq!(after["pool"], json!(team));
        after["pool"] = before["pool"].clone();
        assert_eq!(after, before, "all else comes along");
        assert_eq!(owner.get(&format!("{path}/usage")).await["data"].as_array().unwrap().len(), 1);
        // Its credential, sealed anew, opens: who is in the team calls with it.
        let used = rig.chat_as(&strangers, pin("glm-4.7")).await;
        assert_eq!((used.status.as_u16(), used.account()), (200, id), "{used:?}");
        rig.until(async || {
            rig.in_pool(team).await.iter().all(|state| state.leased == tributary::accounts::Tokens::ZERO)
        }).await;

        // Back, and switched off in the same call.
        let back = owner.set(id, json!({"pool": rig.user.pool, "enabled": false})).await;
        assert_eq!((&back.json()["pool"], &back.json()["status"]), (&before["pool"], &json!("disabled")));
        assert_eq!(rig.chat_as(&strangers, pin("glm-4.7")).await.status, 404);
        // To where it is: nothing happens.
        let same = owner.send_to(id, rig.user.pool).await;
        assert_eq!((same.status.as_u16(), &same.json()["status"]), (200, &json!("disabled")));

        let log = owner.get("/api/v1/audit").await;
        let rows = log["data"].as_array().unwrap().iter();
        let moves: Vec<_> = rows.filter(|row| row["action"] == "account.move").collect();
        assert_eq!(moves.len(), 2, "{log}");
        let facts = &moves[1]["details"];
        assert_eq!((&facts["from_pool"], &facts["to_pool"]),
            (&json!(rig.user.pool.to_string()), &json!(team.to_string())));
    }
}

both! {
    #[wish(fresh())]
    async fn nobody_else_moves_an_account_nor_to_a_pool_that_is_not_the_callers(rig: Rig) {
        let (stranger, _) = rig.stranger().await;
        let owner = Surface::of(&rig).await;
        let other = Surface { rig: &rig, token: rig.token(&stranger, all_scopes()).await.1 };
        let team = rig.team(&stranger).await;
        let closed = rig.team(&rig.user).await;
        let id = rig.account("qwen", 0).await.account.id.0;
        let is = || async { serde_json::to_value(rig.in_pool(rig.user.pool).await).unwrap() };
        let before = is().await;
        // A foreign pool is as one that is not there.
        rig.store.close_team(closed).await.unwrap();
        let foreign = owner.send_to(id, team).await;
        assert_eq!(foreign.row(), "404 invalid_request_error pool_not_found param=pool_id");
        for missing in [PoolId(999), PoolId(-1), stranger.pool, closed] {
            assert_eq!(told(&owner.send_to(id, missing).await), told(&foreign), "{missing}");
        }
        // A foreign account is as one that is not there.
        let theirs = other.send_to(id, team).await;
        assert_eq!(told(&theirs), told(&other.send_to(999, team).await));
        assert_eq!(theirs.row(), "404 invalid_request_error account_not_found param=account_id");
        // A token for certain pools moves nothing out of, nor into, others.
        rig.join(team, &rig.user, TeamRole::Member).await;
        for pools in [vec![rig.user.pool], vec![team]] {
            let limited = rig.token(&rig.user, Grants { pools, ..all_scopes() }).await.1;
            let limited = Surface { rig: &rig, token: limited };
            assert_eq!(limited.send_to(id, team).await.status, 404);
        }
        let reads = Surface { rig: &rig, token: rig.token(&rig.user, Grants::default()).await.1 };
        assert_eq!(reads.send_to(id, team).await.status, 403);
        assert_eq!(is().await, before);

        // In the team it is its own still: the team's owner may stop it, and not take it away.
        assert_eq!(owner.send_to(id, team).await.status, 200);
        for to in [stranger.pool, team] {
            assert_eq!(other.send_to(id, to).await.row(), "403 invalid_request_error owner_required");
        }
        assert_eq!(other.set(id, json!({"enabled": false})).await.status, 200);
        let named = owner.set(id, json!({"pool": rig.user.pool, "account_name": "new"})).await;
        assert_eq!(named.row(), "400 invalid_request_error invalid_request_error param=account_name");
        let name = of(&rig, team, id).await.name;
        let namesake = rig.bind(&rig.user, "qwen", &name, KEYS[1].1[1], 1000).await;
        let taken = owner.send_to(id, rig.user.pool).await;
        assert_eq!(taken.row(), "409 invalid_request_error name_taken param=account_name x-should-retry=false");
        rig.store.remove_account(namesake).await.unwrap();
        assert_eq!(owner.send_to(id, rig.user.pool).await.status, 200);
        // The member leaves without it.
        let seat = format!("/api/v1/pools/{team}/members/tester");
        assert_eq!(owner.call(Method::DELETE, &seat, Value::Null).await.status, 204);
    }
}

both! {
    #[wish(fresh())]
    async fn an_account_does_not_move_while_a_request_is_under_way_on_it(rig: Rig) {
        let owner = Surface::of(&rig).await;
        let team = rig.team(&rig.user).await;
        let id = rig.account("qwen", 0).await.account.id.0;
        let mut slow = ask("qwen-plus", "pace 20 ms say 60 words");
        (slow["account_id"], slow["stream"]) = (json!(id), json!(true));
        let path = format!("{ACCOUNTS}/{id}");
        let busy = async {
            rig.until(async || owner.get(&path).await["windows"][0]["leased"] != json!(0)).await;
            owner.send_to(id, team).await
        };
        let (answer, busy) = tokio::join!(rig.chat(slow), busy);
        assert_eq!(busy.row(), "409 invalid_request_error account_busy param=pool");
        assert_eq!(answer.status, 200, "{answer:?}");
        let record = rig.record(&answer).await;
        rig.all_settled("qwen").await;
        assert_eq!(owner.send_to(id, team).await.status, 200);
        let moved = rig.in_pool(team).await.swap_remove(0);
        assert_eq!(moved.windows[0].used, record.input + record.output, "charged once");
    }
}

// T-MINT: who can only write the store makes no account his own, to have it sealed for his pool.
both! {
    #[wish(fresh())]
    async fn t_mint_an_owner_that_was_written_into_the_store_moves_nothing(rig: Rig) {
        let (stranger, _) = rig.stranger().await;
        let thief = Surface { rig: &rig, token: rig.token(&stranger, all_scopes()).await.1 };
        let team = rig.team(&rig.user).await;
        rig.join(team, &stranger, TeamRole::Member).await;
        let is_mine = rig.bring(team, &rig.user, "qwen", KEYS[1].1[0]).await;
        let account = of(&rig, team, is_mine.0).await;
        let proofs = [account.owner_proof.clone(), String::new(), "k1.forged".into(),
            prove_owner(&rig.vault, AccountId(is_mine.0 + 1), stranger.id)];
        rig.store.remove_account(is_mine).await.unwrap();
        for owner_proof in proofs {
            let forged = NewAccount {
                id: is_mine, pool: team, owner: stranger.id, owner_proof,
                platform: account.platform.clone(), name: account.name.clone(), dialect: None,
                windows: vec![], priority: Priority::default(), sealed: account.sealed.clone(),
                generation: account.generation, expires_at: None,
            };
            rig.store.add_account(forged).await.unwrap();
            let refused = thief.send_to(is_mine.0, stranger.pool).await;
            assert_eq!(refused.row(),
                "409 invalid_request_error account_unproved param=account_id x-should-retry=false");
            assert_eq!(of(&rig, team, is_mine.0).await.sealed, account.sealed);
            rig.store.remove_account(is_mine).await.unwrap();
        }
    }
}

// T-SPLICE: a seal opens in the pool and the generation that it was made for, and nowhere else.
both! {
    #[wish(fresh())]
    async fn t_splice_what_was_sealed_for_one_pool_opens_in_no_other(rig: Rig) {
        let owner = Surface::of(&rig).await;
        let team = rig.team(&rig.user).await;
        let id = rig.account("qwen", 0).await.account.id.0;
        let before = of(&rig, rig.user.pool, id).await;
        assert_eq!(owner.send_to(id, team).await.status, 200);
        let after = of(&rig, team, id).await;
        assert_eq!(after.generation, before.generation + 1);
        for own in [&before, &after] {
            for other in [&before, &after] {
                for generation in 0..4 {
                    let place = Place { generation, ..other.place("credential") };
                    let is_its = own.pool == other.pool && own.generation == generation;
                    assert_eq!(rig.vault.opens(&place, &own.sealed), is_its, "{place:?}");
                }
            }
        }
        assert_ne!(before.sealed.body, after.sealed.body);
    }
}

both! {
    #[wish(fresh())]
    async fn a_move_that_was_broken_off_is_shown_and_ended_by_moving_again(rig: Rig) {
        let owner = Surface::of(&rig).await;
        let team = rig.team(&rig.user).await;
        let id = rig.account("qwen", 0).await.account.id.0;
        let path = format!("{ACCOUNTS}/{id}");
        for back in [false, true] {
            // Broken off later and later, until it is on its way.
            let mut is_on_its_way = false;
            for waits in 0.. {
                let account = of(&rig, rig.user.pool, id).await;
                let place = account.bound_for(team);
                let plain = rig.vault.open_credential(&account.place("credential"), &account.sealed).unwrap();
                let sealed = rig.vault.seal_credential(&place.place("credential"), &plain).unwrap();
                let after = place.sealed_as(sealed);
                let mut moving = std::pin::pin!(rig.store.move_account(&account, after));
                let mut waited = 0;
                let ended = std::future::poll_fn(|context| match moving.as_mut().poll(context) {
                    std::task::Poll::Pending if waited < waits => {
                        waited += 1;
                        std::task::Poll::Pending
                    }
                    other => std::task::Poll::Ready(other.is_ready()),
                }).await;
                let shown = owner.get(&path).await;
                is_on_its_way = shown["status"] == "disabled";
                if is_on_its_way || ended || shown["pool"] == json!(team) {
                    break;
                }
            }
            if is_on_its_way {
                let shown = owner.get(&path).await;
                assert!(shown["reason"].as_str().unwrap().contains("move"), "{shown}");
                for change in [json!({"enabled": true}), json!({"account_name": "n"}), json!({"limit": 5})] {
                    assert_eq!(owner.set(id, change).await.row(),
                        "409 invalid_request_error account_moving param=account_id x-should-retry=false");
                }
                assert_eq!(rig.chat(json!({"account_id": id, "model": "qwen-plus",
                    "messages": [{"role": "user", "content": "hello"}]})).await.status, 404);
            }
            let to = if back { rig.user.pool } else { team };
            let ended = owner.send_to(id, to).await;
            assert_eq!((ended.status.as_u16(), &ended.json()["status"]), (200, &json!("active")), "{ended:?}");
            let mut pinned = ask("qwen-plus", "hello");
            pinned["account_id"] = json!(id);
            let answer = rig.chat(pinned).await;
            assert_eq!((answer.status.as_u16(), answer.account()), (200, id), "{answer:?}");
            rig.until(async || owner.get(&path).await["windows"][0]["leased"] == json!(0)).await;
            if !back {
                assert_eq!(owner.send_to(id, rig.user.pool).await.status, 200);
            }
        }
    }
}
