//! Gateway tokens over REST: made, looked at, tightened, revoked, and never stronger than
//! what made them.

use std::num::NonZeroU32;

use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tributary::accounts::{Scope, Spending, Tokens};
use tributary::telemetry::clock;

use crate::accounts::{Surface, all_scopes};
use crate::both;
use crate::rig::{Grants, Rig, ask};

const TOKENS: &str = "/api/v1/tokens";

impl Surface<'_> {
    async fn change(&self, path: &str, body: Value) -> crate::rig::Answer {
        self.call(Method::PATCH, path, body).await
    }
}

both! {
    async fn a_token_is_made_used_tightened_and_revoked(rig: Rig) {
        let surface = Surface::of(&rig).await;
        let ends = (clock::now() + SignedDuration::from_hours(1)).to_string();
        let wish = json!({"name": "ci", "scopes": ["chat"], "models": ["qwen-plus", "glm-4.7"],
            "requests_per_minute": 600, "tokens_per_day": 100_000, "expires_at": ends});
        let made = surface.post(TOKENS, wish).await;
        assert_eq!(made.status, 201, "{made:?}");
        let mut view = made.json();
        let secret = view["token"].as_str().unwrap().to_owned();
        view.as_object_mut().unwrap().remove("token");
        assert_eq!(view["name"], "ci");
        assert_eq!(view["scopes"], json!(["chat"]));
        assert_eq!(view["models"], json!(["qwen-plus", "glm-4.7"]));
        assert_eq!((&view["platforms"], &view["pools"]), (&json!([]), &Value::Null));
        assert_eq!((&view["points"], &view["keep_bodies"]), (&json!("fallback"), &json!(false)));
        assert_eq!((&view["requests_per_minute"], &view["tokens_per_day"]), (&json!(600), &json!(100_000)));
        assert_eq!((&view["expires_at"], &view["last_used_at"]), (&json!(ends), &Value::Null));
        assert!(secret.starts_with(view["prefix"].as_str().unwrap()));
        assert!(secret.ends_with(view["last_four"].as_str().unwrap()));

        let path = format!("{TOKENS}/{}", view["id"]);
        assert_eq!(surface.get(&path).await, view, "the secret is shown once");
        let list = surface.get(TOKENS).await;
        assert!(list["data"].as_array().unwrap().contains(&view), "{list}");
        assert!(!list.to_string().contains(&secret));

        assert_eq!(rig.chat_as(&secret, ask("qwen-plus", "hello")).await.status, 200);
        assert_eq!(rig.chat_as(&secret, ask("gpt-4.1", "hello")).await.status, 404);
        rig.until(async || !surface.get(&path).await["last_used_at"].is_null()).await;

        let renamed = surface.change(&path, json!({"name": "build"})).await.json();
        assert_eq!((&renamed["name"], &renamed["models"]), (&json!("build"), &view["models"]));
        let tighter = json!({"models": ["glm-4.7"], "points": "never", "requests_per_minute": 500,
            "keep_bodies": true});
        let tightened = surface.change(&path, tighter).await;
        assert_eq!(tightened.status, 200, "{tightened:?}");
        assert_eq!(tightened.json()["points"], "never");
        assert_eq!(surface.get(&path).await, tightened.json());
        // At once, where it was changed.
        assert_eq!(rig.chat_as(&secret, ask("qwen-plus", "hello")).await.status, 404);
        assert_eq!(rig.chat_as(&secret, ask("glm-4.7", "hello")).await.status, 200);
        for (looser, field) in [
            (json!({"models": ["glm-4.7", "qwen-plus"]}), "models"),
            (json!({"models": []}), "models"),
            (json!({"points": "fallback"}), "points"),
            (json!({"requests_per_minute": 501}), "requests_per_minute"),
            (json!({"requests_per_minute": null}), "requests_per_minute"),
            (json!({"expires_at": null}), "expires_at"),
            (json!({"keep_bodies": false}), "keep_bodies"),
            (json!({"scopes": ["chat", "accounts:read"]}), "scopes"),
            (json!({"name": "other", "tokens_per_day": 100_001}), "tokens_per_day"),
        ] {
            let refused = surface.change(&path, looser.clone()).await;
            assert_eq!(refused.row(), format!("403 invalid_request_error stronger_token param={field}"), "{looser}");
        }
        assert_eq!(surface.get(&path).await["name"], "build", "nothing of a refused change is made");

        assert_eq!(surface.call(Method::DELETE, &path, Value::Null).await.status, 204);
        assert_eq!(rig.chat_as(&secret, ask("glm-4.7", "hello")).await.status, 401);
        for method in [Method::GET, Method::PATCH, Method::DELETE] {
            let gone = surface.call(method, &path, Value::Null).await;
            assert_eq!(gone.row(), "404 invalid_request_error token_not_found param=token_id");
        }
    }
}

both! {
    async fn a_token_makes_none_that_may_do_more_than_itself(rig: Rig) {
        let ends = clock::now() + SignedDuration::from_hours(1);
        let limits = Grants {
            scopes: vec![Scope::Chat, Scope::AccountsWrite],
            models: vec!["qwen-plus".into(), "glm-4.7".into()],
            platforms: vec!["qwen".into(), "glm".into()],
            expires_at: Some(ends),
            points: Spending::Never,
            requests_per_minute: NonZeroU32::new(60),
            tokens_per_day: Some(Tokens(1000)),
            keep_bodies: true,
            pools: vec![],
        };
        let maker = Surface { rig: &rig, token: rig.token(&rig.user, limits).await.1 };
        let later = (ends + SignedDuration::from_secs(1)).to_string();
        let (stranger, _) = rig.stranger().await;
        for (wish, field) in [
            (json!({"scopes": ["chat", "accounts:read"]}), "scopes"),
            (json!({"models": ["qwen-max"]}), "models"),
            (json!({"models": []}), "models"),
            (json!({"platforms": ["qwen", "openai"]}), "platforms"),
            (json!({"platforms": []}), "platforms"),
            (json!({"pools": [rig.user.pool, stranger.pool]}), "pools"),
            (json!({"pools": [999]}), "pools"),
            (json!({"expires_at": later}), "expires_at"),
            (json!({"expires_at": null}), "expires_at"),
            (json!({"points": "fallback"}), "points"),
            (json!({"requests_per_minute": 61}), "requests_per_minute"),
            (json!({"requests_per_minute": null}), "requests_per_minute"),
            (json!({"tokens_per_day": 1001}), "tokens_per_day"),
            (json!({"tokens_per_day": null}), "tokens_per_day"),
            (json!({"keep_bodies": false}), "keep_bodies"),
        ] {
            let refused = maker.post(TOKENS, wish.clone()).await;
            assert_eq!(refused.row(), format!("403 invalid_request_error stronger_token param={field}"), "{wish}");
            assert!(refused.message().contains(field), "{refused:?}");
        }
        // Two that may make 60 calls each could make 120.
        for field in ["requests_per_minute", "tokens_per_day"] {
            let limit = Grants {
                scopes: vec![Scope::Chat, Scope::AccountsWrite],
                requests_per_minute: NonZeroU32::new(60).filter(|_| field == "requests_per_minute"),
                tokens_per_day: Some(Tokens(1000)).filter(|_| field == "tokens_per_day"),
                ..Grants::default()
            };
            let maker = Surface { rig: &rig, token: rig.token(&rig.user, limit).await.1 };
            let refused = maker.post(TOKENS, json!({(field): 1})).await;
            assert_eq!(refused.row(), format!("403 invalid_request_error stronger_token param={field}"));
        }
        // Where nothing is said, it is as its maker, but that it makes none itself.
        let free = Grants { scopes: vec![Scope::Chat, Scope::AccountsWrite], ..Grants::default() };
        let free = Surface { rig: &rig, token: rig.token(&rig.user, free).await.1 };
        let child = free.post(TOKENS, json!({})).await.json();
        assert_eq!((&child["name"], &child["scopes"]), (&json!("default"), &json!(["chat"])));
        let made = maker.post(TOKENS, json!({"scopes": ["accounts:write"]})).await.json();
        assert_eq!(made["models"], json!(["qwen-plus", "glm-4.7"]));
        assert_eq!(made["platforms"], json!(["qwen", "glm"]));
        assert_eq!(made["expires_at"], json!(ends));
        assert_eq!((&made["points"], &made["keep_bodies"]), (&json!("never"), &json!(true)));
        assert_eq!((&made["requests_per_minute"], &made["tokens_per_day"]), (&json!(60), &json!(1000)));
        let child = Surface { rig: &rig, token: child["token"].as_str().unwrap().to_owned() };
        assert_eq!(child.post(TOKENS, json!({})).await.status, 403);
        let heir = json!({"scopes": ["accounts:write", "accounts:write"], "requests_per_minute": 1});
        let heir = maker.post(TOKENS, heir).await.json();
        assert_eq!((&heir["scopes"], &heir["requests_per_minute"]), (&json!(["accounts:write"]), &json!(1)));
        let heir = Surface { rig: &rig, token: heir["token"].as_str().unwrap().to_owned() };
        let grandchild = heir.post(TOKENS, json!({"requests_per_minute": 2})).await;
        assert_eq!(grandchild.row(), "403 invalid_request_error stronger_token param=requests_per_minute");
    }
}

both! {
    async fn a_limited_token_has_no_say_over_one_that_reaches_further(rig: Rig) {
        let free = rig.token(&rig.user, Grants::default()).await.0;
        let limits = |platforms: &[&str], pools| Grants {
            platforms: platforms.iter().map(|&name| name.to_owned()).collect(),
            pools,
            ..all_scopes()
        };
        let path = |id| format!("{TOKENS}/{id}");
        for (limit, field) in [
            (limits(&["qwen"], vec![]), "platforms"),
            (limits(&[], vec![rig.user.pool]), "pools"),
        ] {
            let (own, token) = rig.token(&rig.user, limit).await;
            let limited = Surface { rig: &rig, token };
            let row = format!("403 invalid_request_error stronger_token param={field}");
            for (method, body) in [(Method::PATCH, json!({"points": "never"})), (Method::DELETE, Value::Null)] {
                assert_eq!(limited.call(method, &path(free), body).await.row(), row);
            }
            assert_eq!(limited.get(&path(free)).await["points"], "fallback");
            // Over what reaches no further it has, whatever else that one may do; and over itself.
            let beside = Grants { scopes: vec![Scope::Chat], ..limits(&["qwen"], vec![rig.user.pool]) };
            let beside = rig.token(&rig.user, beside).await.0;
            for id in [beside, own] {
                assert_eq!(limited.call(Method::DELETE, &path(id), Value::Null).await.status, 204);
            }
        }
        let unlimited = Surface::of(&rig).await;
        assert_eq!(unlimited.call(Method::DELETE, &path(free), Value::Null).await.status, 204);
    }
}

both! {
    async fn what_is_wrong_with_a_token_is_named(rig: Rig) {
        let surface = Surface::of(&rig).await;
        let own = format!("{TOKENS}/{}", rig.token(&rig.user, all_scopes()).await.0);
        let bad = "400 invalid_request_error";
        for (wish, row) in [
            (json!({"name": "a\nb"}), format!("{bad} invalid_name param=name")),
            (json!({"name": ""}), format!("{bad} invalid_name param=name")),
            (json!({"scopes": ["chat", "root"]}), format!("{bad} invalid_request_error param=scopes[1]")),
            (json!({"platforms": ["qwen", "qwem"]}), format!("{bad} unknown_platform param=platforms[1]")),
            (json!({"pools": []}), format!("{bad} invalid_request_error param=pools")),
            (json!({"expires_at": "2020-01-01T00:00:00Z"}), format!("{bad} invalid_request_error param=expires_at")),
            (json!({"expires_at": "soon"}), format!("{bad} invalid_request_error param=expires_at")),
            (json!({"points": "always"}), format!("{bad} invalid_request_error param=points")),
            (json!({"requests_per_minute": 0}), format!("{bad} invalid_request_error param=requests_per_minute")),
            (json!({"tokens_per_day": 0}), format!("{bad} invalid_request_error param=tokens_per_day")),
            (json!({"user": 1}), format!("{bad} invalid_request_error param=user")),
            (json!({"id": 1}), format!("{bad} invalid_request_error param=id")),
            (json!([]), format!("{bad} invalid_request_error")),
        ] {
            assert_eq!(surface.post(TOKENS, wish.clone()).await.row(), row, "{wish}");
            assert_eq!(surface.change(&own, wish.clone()).await.row(), row, "{wish}");
        }
    }
}

// T-MINT: nobody's change proves a grant that was written into the store.
both! {
    async fn t_mint_a_tampered_row_is_not_changed(rig: Rig) {
        let surface = Surface::of(&rig).await;
        let narrow = || Grants { scopes: vec![Scope::Chat], ..Grants::default() };
        let (mut row, secret) = rig.token_row(&rig.user, narrow()).await;
        row.grant.scopes = all_scopes().scopes;
        let (path, before) = (format!("{TOKENS}/{}", row.grant.id), row.clone());
        rig.store.add_token(row).await.unwrap();
        let refused = surface.change(&path, json!({"name": "mine"})).await;
        assert_eq!(refused.row(), "404 invalid_request_error token_not_found param=token_id");
        assert_eq!(*rig.store.token(&before.index).await.unwrap().unwrap(), before);
        assert_eq!(rig.chat_as(&secret, ask("qwen-plus", "hello")).await.status, 401);
        assert_eq!(surface.call(Method::DELETE, &path, Value::Null).await.status, 204);
    }
}
