//! Notices over REST: what calls bring about is told once, to those whose accounts it is.

use http::Method;
use serde_json::{Value, json};

use crate::accounts::{Surface, all_scopes};
use crate::both;
use crate::rig::{Rig, Wish, ask, credential};

const NOTICES: &str = "/api/v1/notices";

async fn told(surface: &Surface<'_>, query: &str) -> Vec<Value> {
    surface.get(&format!("{NOTICES}{query}")).await["data"].as_array().unwrap().clone()
}

both! {
    #[wish(Wish { limits: [100, 1_000_000], ..Wish::default() })]
    async fn a_quota_that_is_used_up_is_told_once_by_whatever_gateway(rig: Rig) {
        let beside = match rig.start_another(([127, 0, 0, 1], 0).into()).await {
            Ok(beside) => Some(beside.addresses.public),
            Err(_) => None,
        };
        let surface = Surface::of(&rig).await;
        let small = rig.account("qwen", 0).await.account.id;
        for number in 0..12 {
            let mut asked = ask("qwen-plus", "tell me a story of some length, please");
            asked["account_id"] = json!(small);
            if let (Some(gateway), 1) = (beside, number % 2) {
                rig.chat_at(gateway, &rig.token, asked).await;
            } else {
                rig.chat(asked).await;
            }
        }
        let is_used_up = async || {
            let all = told(&surface, "").await;
            all.iter().any(|notice| notice["percent"] == 100)
        };
        rig.until(is_used_up).await;
        let all = told(&surface, "").await;
        let mut percents: Vec<_> = all.iter().map(|one| one["percent"].as_u64().unwrap()).collect();
        let count = percents.len();
        percents.sort_unstable();
        percents.dedup();
        assert_eq!(percents.len(), count, "each stage once: {all:?}");
        for notice in &all {
            assert_eq!((&notice["kind"], &notice["read"]), (&json!("quota"), &json!(false)));
            assert_eq!((&notice["account_id"], &notice["limit"]), (&json!(small), &json!(100)));
            assert!(notice["message"].as_str().unwrap().contains("of its day quota is used"));
        }

        // Whoever has read it has read it; a stranger has not even that.
        let id = &all[0]["id"];
        let (stranger, _) = rig.stranger().await;
        let mut theirs = Surface::of(&rig).await;
        theirs.token = rig.token(&stranger, all_scopes()).await.1;
        assert_eq!(told(&theirs, "").await, [Value::Null; 0]);
        let path = format!("{NOTICES}/{id}/read");
        let foreign = theirs.post(&path, Value::Null).await;
        assert_eq!(foreign.row(), "404 invalid_request_error notice_not_found param=notice_id");
        assert_eq!(surface.post(&path, Value::Null).await.status, 204);
        assert_eq!(told(&surface, "?unread=true").await.len(), count - 1);
        assert_eq!(told(&surface, "").await[0]["read"], true);
        for odd in ["0", "007", "x", "9223372036854775808"] {
            let path = format!("{NOTICES}/{odd}/read");
            assert_eq!(surface.post(&path, Value::Null).await.row(), foreign.row(), "{odd}");
        }
        let bad = surface.call(Method::GET, &format!("{NOTICES}?unread=2"), Value::Null).await;
        assert_eq!(bad.status, 400);
    }
}

both! {
    async fn an_account_that_stopped_is_told_without_the_platforms_words(rig: Rig) {
        let surface = Surface::of(&rig).await;
        let stopped = rig.account("openai", 0).await.account;
        let fault = json!({"kind": "class", "class": "auth_expired",
            "credential": credential("openai", 0)});
        rig.fault("openai", fault).await;
        let mut asked = ask("gpt-4.1", "say 3 words");
        asked["account_id"] = json!(stopped.id);
        assert_eq!(rig.chat(asked).await.status, 502);
        let health = rig.account("openai", 0).await.health;
        let reason = health.reason().unwrap_or_else(|| panic!("{health:?}")).to_owned();
        rig.until(async || !told(&surface, "").await.is_empty()).await;
        let all = told(&surface, "?limit=10").await;
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!((&all[0]["kind"], &all[0]["status"]), (&json!("stopped"), &json!("expired")));
        assert_eq!(all[0]["account_id"], json!(stopped.id));
        assert!(!all[0].to_string().contains(&reason), "{all:?}");
    }
}
