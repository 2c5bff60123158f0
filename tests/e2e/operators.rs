//! Operators: how the first comes to be, that one stays, and what they don't see.

use http::Method;
use serde_json::json;
use tributary::accounts::{Identity, UserRole};
use tributary::identity;
use tributary::server::{ROUTES, Role};
use tributary::store::Directory;

use crate::both;
use crate::rig::{Console, Grants, PASSWORD, Rig, ask};
use crate::sign_in::on;

const USERS: &str = "/api/v1/admin/users";

both! {
    async fn the_first_operator_is_made_by_the_newest_link_and_once(rig: Rig) {
        let link = async || rig.running.people.setup_link().await.unwrap().unwrap();
        let set_up = async |token: &str, name: &str, password: &str| {
            let body = json!({"token": token, "name": name, "password": password});
            rig.post_json("/api/v1/setup", body).await
        };
        let (old, new) = (link().await, link().await);
        let unknown = "0".repeat(43);
        for token in [old.as_str(), &unknown, "", "x"] {
            let refused = set_up(token, "boss", PASSWORD).await;
            assert_eq!(refused.row(), "404 invalid_request_error link_not_found param=token");
        }
        // What is wrong with the rest does not use it up.
        assert_eq!(set_up(&new, "boss", "short").await.status, 400);
        assert_eq!(set_up(&new, " boss", PASSWORD).await.status, 400);
        assert_eq!(set_up(&new, "tester", PASSWORD).await.status, 409);
        let made = set_up(&new, "boss", PASSWORD).await;
        assert_eq!((made.status.as_u16(), &made.json()["role"]), (201, &json!("operator")));
        let boss = Console::of(&made);
        assert_eq!(boss.get(&rig, USERS).await.status, 200);
        assert_eq!(set_up(&new, "other", PASSWORD).await.status, 404);
        assert_eq!(rig.running.people.setup_link().await.unwrap(), None);
        assert_eq!(rig.sign_in("boss", PASSWORD).await.status, 200);
    }
}

both! {
    async fn of_two_operators_who_step_down_at_once_one_stays(rig: Rig) {
        let one = rig.operator().await;
        let (second, _) = rig.stranger().await;
        let edit = |it: &mut Identity| it.role = UserRole::Operator;
        let store: &dyn Directory = &*rig.store;
        identity::change(store, &rig.vault, second.id, edit).await.unwrap();
        let two = rig.console(&second).await;
        let path = |user| format!("{USERS}/{user}");
        let (paths, body) = ([path(one.user), path(two.user)], json!({"role": "member"}));
        let (first, last) = tokio::join!(
            one.call(&rig, Method::PATCH, &paths[0], body.clone()),
            two.call(&rig, Method::PATCH, &paths[1], body.clone()),
        );
        let mut statuses = [first.status.as_u16(), last.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{first:?} {last:?}");
        assert!(rig.running.people.has_operator().await.unwrap());
    }
}

// T-ADMIN: an operator sees who there is and how accounts fare: no credential, no request, no
// answer, and no account that is not its own.
both! {
    async fn t_admin(rig: Rig) {
        let boss = rig.operator().await;
        let member = rig.console(&rig.user).await;
        let grants = Grants { keep_bodies: true, ..crate::accounts::all_scopes() };
        let (_, token) = rig.token(&rig.user, grants).await;
        let said = rig.chat_as(&token, ask("qwen-plus", "a marked secret of mine")).await;
        rig.record(&said).await;
        let id = rig.account("qwen", 0).await.account.id;
        for path in ["", "/usage"] {
            let path = format!("/api/v1/oauth/accounts/{id}{path}");
            assert_eq!(member.get(&rig, &path).await.status, 200);
            assert_eq!(boss.get(&rig, &path).await.row(), "404 invalid_request_error account_not_found param=account_id");
        }
        let pin = json!({"account_id": id, "messages": [{"role": "user", "content": "hello"}]});
        assert_eq!(boss.post(&rig, "/api/v1/oauth/chat/completions", pin).await.status, 404);

        let added = boss.post(&rig, USERS, json!({"name": "ann"})).await;
        assert_eq!(added.status, 201, "{added:?}");
        let link = added.json()["password_link"]["token"].as_str().unwrap().to_owned();
        let user = added.json()["id"].clone();
        assert_eq!(boss.post(&rig, USERS, json!({"name": "ann"})).await.row(), "409 invalid_request_error name_taken param=name");
        let granted = boss.post(&rig, &format!("{USERS}/{user}/points"), json!({"points": "2.5", "note": "hello"})).await;
        assert_eq!((granted.status.as_u16(), &granted.json()["balance"]), (200, &json!("2.5")));
        let ann = Console::of(&rig.post_json("/api/v1/password/reset", json!({"token": link, "password": PASSWORD})).await);
        assert_eq!(ann.get(&rig, "/api/v1/points").await.json()["points"]["balance"], "2.5");
        assert_eq!(rig.post_json("/api/v1/password/reset", json!({"token": link, "password": PASSWORD})).await.status, 404);
        for path in ["0", "99", "x", "01"] {
            let missing = boss.call(&rig, Method::PATCH, &format!("{USERS}/{path}"), json!({})).await;
            assert_eq!(missing.row(), "404 invalid_request_error user_not_found param=user");
        }

        let health = boss.get(&rig, "/api/v1/admin/platforms").await.json();
        let qwen = health["data"].as_array().unwrap().iter().find(|row| row["platform"] == "qwen");
        assert_eq!(qwen.unwrap()["by_status"], json!({"active": 2}));
        let mut seen = String::new();
        for route in ROUTES.iter().filter(|route| route.role() == Role::Admin) {
            let request = boss.with(&rig, on(route, ""));
            seen += std::str::from_utf8(&rig.send(request, "{}").await.body).unwrap();
        }
        assert!(seen.contains("tester") && seen.contains("has_password"), "{seen}");
        for hidden in ["argon2", "marked", "sealed", "qwen-1", "sk-", &token] {
            assert!(!seen.contains(hidden), "{hidden} in {seen}");
        }
        // Members and tokens are told nothing of it.
        for route in ROUTES.iter().filter(|route| route.role() == Role::Admin) {
            let refused = rig.send(member.with(&rig, on(route, "")), "{}").await;
            assert_eq!(refused.row(), "403 invalid_request_error operator_required", "{}", route.path);
        }
    }
}
