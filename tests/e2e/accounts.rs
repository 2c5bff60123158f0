//! The account surface: bind, look, change, check, delete, over REST.

use http::{Method, Request};
use serde_json::{Value, json};
use tributary::accounts::{Points, Scope, Spending, Tokens};

use crate::both;
use crate::rig::{Answer, Grants, KEYS, Rig, Wish, ask};

const ACCOUNTS: &str = "/api/v1/oauth/accounts";

pub fn all_scopes() -> Grants {
    let scopes = vec![Scope::Chat, Scope::AccountsRead, Scope::AccountsWrite];
    Grants { scopes, ..Grants::default() }
}

/// The surface as one token has it.
pub struct Surface<'r> {
    pub rig: &'r Rig,
    pub token: String,
}

impl<'r> Surface<'r> {
    pub async fn of(rig: &'r Rig) -> Self {
        Self { rig, token: rig.token(&rig.user, all_scopes()).await.1 }
    }

    pub async fn call(&self, method: Method, path: &str, body: Value) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.token));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.rig.send(request, body).await
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.call(Method::GET, path, Value::Null).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, body).await
    }

    async fn patch(&self, id: &Value, body: Value) -> Answer {
        self.call(Method::PATCH, &format!("{ACCOUNTS}/{id}"), body).await
    }
}

both! {
    async fn an_account_is_bound_called_changed_and_deleted(rig: Rig) {
        let surface = Surface::of(&rig).await;
        let key = KEYS[1].1[0];
        let wish = json!({"platform": "qwen", "account_name": "mine", "key": key, "limit": 5000,
            "priority": 3});
        let bound = surface.post(ACCOUNTS, wish.clone()).await;
        assert_eq!(bound.status, 201, "{bound:?}");
        let account = bound.json();
        let id = &account["id"];
        assert_eq!(account["name"], "mine");
        assert_eq!(account["account_name"], "mine");
        assert_eq!(account["platform"], "qwen");
        assert_eq!(account["status"], "active");
        assert_eq!(account["priority"], 3);
        assert_eq!((&account["quota_used"], &account["quota_total"]), (&json!(0), &json!(5000)));
        assert_eq!(account["windows"][0]["limit_from"], "hand");
        let path = format!("{ACCOUNTS}/{id}");
        assert_eq!(surface.get(&path).await, account);
        let list = surface.get(&format!("{ACCOUNTS}?platform=qwen")).await;
        let ids: Vec<&Value> = list["data"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
        assert_eq!(ids.len(), 3, "{list}");
        assert!(ids.contains(&id));
        assert_eq!(surface.post(ACCOUNTS, wish).await.row(),
            "409 invalid_request_error name_taken param=account_name x-should-retry=false");

        // No model named: the platform's usual one answers, on this account.
        let chat = surface.post("/api/v1/oauth/chat/completions", json!({"account_id": id,
            "messages": [{"role": "user", "content": "hello"}]})).await;
        assert_eq!(chat.status, 200, "{chat:?}");
        assert_eq!(json!(chat.account()), *id);
        let usage = chat.json()["usage"].clone();
        rig.all_settled("qwen").await;
        let used = surface.get(&path).await;
        assert_eq!(used["quota_used"], usage["total_tokens"]);
        assert_ne!(used["last_used_at"], Value::Null);
        rig.record(&chat).await;
        let records = surface.get(&format!("{path}/usage")).await;
        let record = &records["data"][0];
        assert_eq!(record["id"], chat.header("x-request-id"));
        assert_eq!(record["input_tokens"], usage["prompt_tokens"]);
        assert_eq!(record["output_tokens"], usage["completion_tokens"]);
        assert_eq!(record["total_tokens"], usage["total_tokens"]);
        assert_eq!(record["charged_tokens"], usage["total_tokens"]);
        assert_eq!((&record["error"], &record["outcome"]), (&Value::Null, &json!("ok")));

        let changed = surface.patch(id, json!({"account_name": "other", "limit": 9000,
            "priority": 7, "enabled": false})).await.json();
        assert_eq!(changed["name"], "other");
        assert_eq!(changed["quota_total"], 9000);
        assert_eq!(changed["priority"], 7);
        assert_eq!((&changed["status"], &changed["reason"]), (&json!("disabled"), &json!("by hand")));
        assert!(changed["fix"].as_str().unwrap().contains("enable"));
        let usual = surface.patch(id, json!({"limit": null, "enabled": true})).await.json();
        assert_eq!(usual["quota_total"], 1_000_000);
        assert_eq!(usual["windows"][0]["limit_from"], "catalogue");
        assert_eq!((&usual["status"], &usual["name"]), (&json!("active"), &json!("other")));
        let taken = surface.patch(id, json!({"account_name": "qwen-1", "priority": 1})).await;
        assert_eq!(taken.row(), "409 invalid_request_error name_taken param=account_name x-should-retry=false");
        assert_eq!(surface.get(&path).await["priority"], 7, "nothing of a refused change is made");

        let check = surface.post(&format!("{path}/check"), Value::Null).await.json();
        assert_eq!((&check["verdict"], &check["fix"]), (&json!("valid"), &Value::Null), "{check}");

        assert_eq!(surface.call(Method::DELETE, &path, Value::Null).await.status, 204);
        for method in [Method::GET, Method::DELETE] {
            let gone = surface.call(method, &path, Value::Null).await;
            assert_eq!(gone.row(), "404 invalid_request_error account_not_found param=account_id");
        }
        assert!(rig.records().await.iter().all(|record| json!(record.id) != chat.header("x-request-id")));
    }
}

both! {
    async fn a_check_says_what_is_wrong_and_moves_the_account(rig: Rig) {
        let surface = Surface::of(&rig).await;
        let id = rig.account("openai", 0).await.account.id;
        let body = json!({"error": {"message": "deactivated, says the platform", "code": "account_deactivated"}});
        rig.fault("openai", json!({"kind": "status", "status": 401, "body": body, "on": "models"})).await;
        let check = surface.post(&format!("{ACCOUNTS}/{id}/check"), Value::Null).await.json();
        assert_eq!((&check["verdict"], &check["status"]), (&json!("banned"), &json!("banned")));
        assert!(check["saw"].as_str().unwrap().contains("says the platform"), "{check}");
        assert!(check["fix"].as_str().unwrap().contains("support"), "{check}");
        let shown = surface.get(&format!("{ACCOUNTS}/{id}")).await;
        assert_eq!(shown["status"], "banned");
        assert!(shown["reason"].as_str().unwrap().contains("says the platform"), "{shown}");
        rig.behave("openai").await;

        // Another member of the pool is told the state, not the platform's words.
        let (member, _) = rig.stranger().await;
        let grants = Grants { pools: vec![rig.let_in(&member).await], ..all_scopes() };
        let member = Surface { rig: &rig, token: rig.token(&member, grants).await.1 };
        let shown = member.get(&format!("{ACCOUNTS}/{id}")).await;
        assert_eq!((&shown["status"], &shown["reason"]), (&json!("banned"), &Value::Null));
        rig.fault("openai", json!({"kind": "status", "status": 401, "body": json!({"error":
            {"message": "no, says the platform", "code": "invalid_api_key"}}), "on": "models"})).await;
        let other = rig.account("openai", 1).await.account.id;
        let check = member.post(&format!("{ACCOUNTS}/{other}/check"), Value::Null).await.json();
        assert_eq!(check["verdict"], "expired");
        assert!(!check.to_string().contains("says the platform"), "{check}");
    }
}

both! {
    async fn what_is_wrong_with_a_binding_is_named(rig: Rig) {
        let surface = Surface::of(&rig).await;
        let good = json!({"platform": "qwen", "account_name": "n", "key": "sk-secret-000000000001"});
        let with = |field: &str, value: Value| {
            let mut wish = good.clone();
            wish[field] = value;
            wish
        };
        let without = |field: &str| {
            let mut wish = good.clone();
            wish.as_object_mut().unwrap().remove(field);
            wish
        };
        let bad = "400 invalid_request_error";
        for (wish, row) in [
            (with("platform", json!("qwem")), format!("{bad} unknown_platform param=platform")),
            (with("account_name", json!(" ")), format!("{bad} invalid_name param=account_name")),
            (with("account_name", json!("a\nb")), format!("{bad} invalid_name param=account_name")),
            (with("account_name", json!("a".repeat(201))), format!("{bad} invalid_name param=account_name")),
            (with("account_name", json!(5)), format!("{bad} invalid_request_error param=account_name")),
            (with("dialect", json!("klingon")), format!("{bad} invalid_request_error param=dialect")),
            (with("limit", json!(-1)), format!("{bad} invalid_request_error param=limit")),
            (with("priority", json!(101)), format!("{bad} invalid_request_error param=priority")),
            (with("base_url", json!("http://127.0.0.1/")), format!("{bad} invalid_request_error param=base_url")),
            (with("key", json!("sk-secret\n1")), format!("{bad} invalid_credential param=credentials")),
            (with("credentials", json!({"key": "sk-secret-1"})), format!("{bad} invalid_request_error param=credentials")),
            (without("key"), format!("{bad} invalid_request_error param=credentials")),
            (without("platform"), format!("{bad} invalid_request_error param=platform")),
            (json!([good]), format!("{bad} invalid_request_error")),
        ] {
            let answer = surface.post(ACCOUNTS, wish.clone()).await;
            assert_eq!(answer.row(), row, "{wish}");
            assert!(!answer.message().contains("sk-secret"), "{answer:?}");
        }
        let fields = |fields: Value| {
            let mut wish = without("key");
            wish["credentials"] = fields;
            wish
        };
        for (wish, status) in [
            (fields(json!({"key": "sk-secret-000000000001"})), 201),
            (fields(json!({"key": "sk-secret-1", "url": "http://127.0.0.1"})), 400),
            (fields(json!({"key": 5})), 400),
            (fields(json!("sk-secret")), 400),
            (fields(json!({})), 400),
        ] {
            let answer = surface.post(ACCOUNTS, wish.clone()).await;
            assert_eq!(answer.status, status, "{answer:?}");
            assert!(!format!("{:?}", answer.body).contains("sk-secret"), "{answer:?}");
        }
        let long = with("account_name", json!("a".repeat(70_000)));
        assert_eq!(surface.post(ACCOUNTS, long).await.status, 413);
        for (path, param) in [
            ("/api/v1/oauth/accounts?platfrom=qwen", "platfrom"),
            ("/api/v1/oauth/accounts?platform=qwem", "platform"),
            ("/api/v1/usage?by=day,user", "by"),
            ("/api/v1/usage?from=2026-13-01", "from"),
            ("/api/v1/usage?from=2026-02-01&to=2026-01-01", "from"),
            ("/api/v1/usage?format=xml", "format"),
            ("/api/v1/points?limit=0", "limit"),
            ("/api/v1/points?limit=1&limit=2", "limit"),
        ] {
            let answer = surface.call(Method::GET, path, Value::Null).await;
            assert_eq!((answer.status.as_u16(), answer.json()["error"]["param"].clone()), (400, json!(param)));
        }
    }
}

both! {
    async fn a_login_is_refused_with_the_key_that_binds_instead(rig: Rig) {
        let surface = Surface::of(&rig).await;
        let id = rig.account("qwen", 0).await.account.id;
        let wish = json!({"platform": "qwen", "account_name": "mine"});
        let began = surface.post("/api/v1/oauth/accounts/authorize", wish).await;
        let again = surface.post(&format!("{ACCOUNTS}/{id}/reauthorize"), Value::Null).await;
        for refused in [began, again] {
            assert_eq!(refused.row(), "400 invalid_request_error method_not_offered param=method");
            let said = refused.message();
            assert!(said.contains("POST /api/v1/oauth/accounts {\"platform\": \"qwen\""), "{said}");
            assert!(said.contains("sk-"), "{said}");
        }
        let unknown = surface.post("/api/v1/oauth/accounts/authorize", json!({"platform": "x"})).await;
        assert_eq!(unknown.row(), "400 invalid_request_error unknown_platform param=platform");
        for method in [Method::GET, Method::DELETE] {
            let session = surface.call(method, "/api/v1/oauth/sessions/abcdef", Value::Null).await;
            assert_eq!(session.row(), "404 invalid_request_error session_not_found param=session_id");
        }
    }
}

both! {
    async fn platforms_say_what_binds_an_account_on_them(rig: Rig) {
        let surface = Surface::of(&rig).await;
        let list = surface.get("/api/v1/oauth/platforms").await;
        let named = |id: &str| {
            list["data"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap().clone()
        };
        let qwen = named("qwen");
        assert_eq!(qwen["name"], json!("Qwen"), "{qwen}");
        assert_eq!(qwen["methods"][0]["method"], "key");
        assert_eq!(qwen["methods"][0]["fields"], json!(["key"]));
        assert!(qwen["methods"].as_array().unwrap().iter().any(|way| way["dialect"] == "dashscope"));
        assert_eq!(qwen["windows"], json!([{"period": "day", "zone": "Asia/Shanghai", "limit": 1_000_000}]));
        let models = qwen["models"].as_array().unwrap();
        let plus = models.iter().find(|model| model["id"] == "qwen-plus").unwrap();
        assert!(plus["context_length"].as_u64().unwrap() > 100_000, "{plus}");
        assert_eq!(named("ernie")["windows"][0]["limit"], 100_000);

        let only = Grants { platforms: vec!["glm".into()], ..all_scopes() };
        let limited = Surface { rig: &rig, token: rig.token(&rig.user, only).await.1 };
        let list = limited.get("/api/v1/oauth/platforms").await;
        assert_eq!(list["data"].as_array().unwrap().len(), 1);
        let accounts = limited.get(ACCOUNTS).await;
        assert!(accounts["data"].as_array().unwrap().iter().all(|one| one["platform"] == "glm"));
        let qwen = rig.account("qwen", 0).await.account.id;
        assert_eq!(limited.call(Method::GET, &format!("{ACCOUNTS}/{qwen}"), Value::Null).await.status, 404);
        let wish = json!({"platform": "qwen", "account_name": "n", "key": "sk-000000000000000001"});
        assert_eq!(limited.post(ACCOUNTS, wish).await.status, 400);
    }
}

both! {
    async fn a_token_is_told_its_limits_and_what_it_used(rig: Rig) {
        let limited = Grants {
            tokens_per_day: Some(Tokens(100_000)),
            requests_per_minute: std::num::NonZeroU32::new(60),
            points: Spending::Never,
            models: vec!["qwen-plus".into()],
            ..all_scopes()
        };
        rig.store.grant_points(rig.user.id, Points(2_500_000), "welcome").await.unwrap();
        let limited = Surface { rig: &rig, token: rig.token(&rig.user, limited).await.1 };
        let free = Surface::of(&rig).await;
        for surface in [&limited, &free] {
            let before = surface.get("/api/v1/me").await;
            assert_eq!(before["day"]["used"], 0);
            assert!(before["token"]["prefix"].as_str().unwrap().starts_with("tb_"), "{before}");
            assert!(surface.token.ends_with(before["token"]["last_four"].as_str().unwrap()));
            assert!(!before.to_string().contains(&surface.token));
            let chat = rig.chat_as(&surface.token, ask("qwen-plus", "hello")).await;
            let used = chat.json()["usage"]["total_tokens"].clone();
            rig.record(&chat).await;
            let mut me = Value::Null;
            rig.until(async || {
                me = surface.get("/api/v1/me").await;
                me["day"]["used"] == used && me["day"]["held"] == 0
            }).await;
            assert_ne!(me["day"]["resets_at"], Value::Null);
            assert_eq!(me["points"]["balance"], "2.5");
        }
        let me = limited.get("/api/v1/me").await;
        assert_eq!(me["limits"], json!({"models": ["qwen-plus"], "platforms": [],
            "pools": [rig.user.pool], "requests_per_minute": 60, "tokens_per_day": 100_000,
            "keep_bodies": false}));
        assert_eq!(me["points"]["spending"], "never");
        assert_eq!(me["token"]["scopes"], json!(["chat", "accounts:read", "accounts:write"]));
        assert_eq!(free.get("/api/v1/me").await["day"]["left"], Value::Null);

        let points = free.get("/api/v1/points").await;
        assert_eq!(points["points"]["balance"], "2.5");
        assert_eq!((&points["data"][0]["kind"], &points["data"][0]["note"]), (&json!("grant"), &json!("welcome")));
        assert_eq!(points["has_more"], false);
    }
}

both! {
    async fn usage_is_summed_by_what_is_asked_and_read_page_by_page(rig: Rig) {
        let surface = Surface::of(&rig).await;
        let mut total = 0;
        let mut ids = Vec::new();
        for model in ["qwen-plus", "qwen-plus", "qwen-plus", "qwen-plus", "glm-4.7"] {
            let chat = rig.chat_as(&surface.token, ask(model, "hello")).await;
            total += chat.json()["usage"]["prompt_tokens"].as_u64().unwrap();
            ids.push(chat.header("x-request-id").to_owned());
            rig.record(&chat).await;
        }
        let report = surface.get("/api/v1/usage?by=platform").await;
        let rows = report["data"].as_array().unwrap();
        assert_eq!(rows.iter().map(|row| row["calls"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 4]);
        assert_eq!(rows.iter().map(|row| row["input"].as_u64().unwrap()).sum::<u64>(), total);
        assert_eq!(rows[0].get("day"), None);
        let all = surface.get("/api/v1/usage?by=day,token,account,platform,model").await;
        assert!(all["data"].as_array().unwrap().len() >= 2);
        let sheet = surface.call(Method::GET, "/api/v1/usage?format=csv&by=model", Value::Null).await;
        assert_eq!(sheet.header("content-type"), "text/csv; charset=utf-8");
        let text = String::from_utf8(sheet.body.to_vec()).unwrap();
        assert!(text.starts_with("day,member,token,account,platform,model,calls,"), "{text}");
        assert!(text.contains(",qwen-plus,4,"), "{text}");
        assert_eq!(surface.get("/api/v1/usage?from=2020-01-01&to=2020-01-02").await["data"], json!([]));

        let mut seen = Vec::new();
        for number in 0..2 {
            let id = rig.account("qwen", number).await.account.id;
            let mut path = format!("{ACCOUNTS}/{id}/usage?limit=1");
            loop {
                let page = surface.get(&path).await;
                let rows = page["data"].as_array().unwrap();
                seen.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
                let Some(next) = page["next"].as_str() else { break };
                path = format!("{ACCOUNTS}/{id}/usage?limit=1&before={next}");
            }
        }
        seen.sort();
        ids.truncate(4);
        ids.sort();
        assert_eq!(seen, ids);
    }
}

both! {
    #[wish(Wish { limits: [1, 1_000_000], ..Wish::default() })]
    async fn an_account_that_stands_full_says_so(rig: Rig) {
        let surface = Surface::of(&rig).await;
        let id = rig.account("qwen", 0).await.account.id;
        let chat = surface.post("/api/v1/oauth/chat/completions", json!({"account_id": id,
            "messages": [{"role": "user", "content": "hello there, how are you?"}]})).await;
        assert_eq!(chat.status, 200, "{chat:?}");
        rig.all_settled("qwen").await;
        let shown = surface.get(&format!("{ACCOUNTS}/{id}")).await;
        let window = &shown["windows"][0];
        assert_eq!(shown["quota_used"], window["used"]);
        assert_ne!(window["resets_at"], Value::Null);
        let check = surface.post(&format!("{ACCOUNTS}/{id}/check"), Value::Null).await.json();
        assert_eq!(check["verdict"], "exhausted", "{check}");
    }
}

both! {
    async fn what_was_said_is_shown_to_its_caller_alone(rig: Rig) {
        let keeping = Grants { keep_bodies: true, ..all_scopes() };
        let surface = Surface { rig: &rig, token: rig.token(&rig.user, keeping).await.1 };
        let id = rig.account("qwen", 0).await.account.id;
        let asked = json!({"account_id": id, "messages": [{"role": "user", "content": "say 用词"}]});
        let chat = surface.post("/api/v1/oauth/chat/completions", asked.clone()).await;
        rig.record(&chat).await;
        let path = format!("{ACCOUNTS}/{id}/usage");
        let row = surface.get(&path).await["data"][0].clone();
        assert_eq!(row["request"], asked.to_string());
        assert_eq!(row["response"].as_str().unwrap().as_bytes(), chat.body);
        assert_eq!(row["is_cut"], false);
        let (member, _) = rig.stranger().await;
        let grants = Grants { pools: vec![rig.let_in(&member).await], ..all_scopes() };
        let member = Surface { rig: &rig, token: rig.token(&member, grants).await.1 };
        assert_eq!(member.get(&path).await["data"], json!([]));
        let plain = Surface::of(&rig).await;
        let chat = plain.post("/api/v1/oauth/chat/completions", asked).await;
        rig.record(&chat).await;
        let row = plain.get(&path).await["data"][0].clone();
        assert_eq!((&row["request"], &row["response"]), (&Value::Null, &Value::Null));
    }
}

both! {
    async fn usage_is_the_same_sum_however_it_is_told_apart(rig: Rig) {
        const WORDS: [&str; 5] = ["day", "token", "account", "platform", "model"];
        let (one, two) = (Surface::of(&rig).await, Surface::of(&rig).await);
        for (surface, model) in [(&one, "qwen-plus"), (&one, "glm-4.7"), (&two, "qwen-plus"), (&two, "qwen-plus")] {
            rig.record(&rig.chat_as(&surface.token, ask(model, "hello")).await).await;
        }
        for platform in ["qwen", "glm"] {
            rig.all_settled(platform).await;
        }
        let sums = |rows: &Value| {
            let sum = |name: &str| rows.as_array().unwrap().iter().map(|row| row[name].as_u64().unwrap()).sum::<u64>();
            ["calls", "attempts", "input", "output", "exact", "estimated"].map(sum)
        };
        let all = one.get("/api/v1/usage?by=day").await;
        assert_eq!(all["data"].as_array().unwrap().len(), 1, "{all}");
        let expected = sums(&all["data"]);
        assert_eq!((expected[0], expected[2] + expected[3]), (4, expected[4]), "{all}");
        for mask in 1_usize..1 << WORDS.len() {
            let by: Vec<&str> = (0..WORDS.len()).filter(|bit| mask & 1 << bit != 0).map(|bit| WORDS[bit]).collect();
            let path = format!("/api/v1/usage?by={}", by.join(","));
            let report = one.get(&path).await;
            assert_eq!(report["by"], json!(by));
            assert_eq!(sums(&report["data"]), expected, "{path}");
            let rows = report["data"].as_array().unwrap();
            let told: std::collections::BTreeSet<_> =
                rows.iter().map(|row| by.iter().map(|word| row[*word].to_string()).collect::<Vec<_>>()).collect();
            assert_eq!(told.len(), rows.len(), "{path}");
            for word in WORDS {
                assert!(rows.iter().all(|row| row.get(word).is_some() == by.contains(&word)), "{path}: {word}");
            }
            let sheet = one.call(Method::GET, &format!("{path}&format=csv"), Value::Null).await;
            let text = String::from_utf8(sheet.body.to_vec()).unwrap();
            let mut lines = text.lines();
            let calls = lines.next().unwrap().split(',').position(|head| head == "calls").unwrap();
            let calls = lines.map(|line| line.split(',').nth(calls).unwrap().parse::<u64>().unwrap());
            assert_eq!(calls.sum::<u64>(), 4, "{path}: {text}");
        }
    }
}
