//! Every kind of credential, from its seal to a platform that checks it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tributary::accounts::{AccountId, ChargeKind, Health, LeaseId, ShortKey, Tokens};
use tributary::platforms::{Credential, Secret, UpstreamRequest};
use tributary::telemetry::clock::{self, Stopwatch};

use crate::both;
use crate::rig::{Answer, Rig, ask, tail};

const UNAUTHORIZED: &str = "502 server_error account_unauthorized x-should-retry=false";
const FAILED: &str = "502 server_error upstream_error";

const ZHIPU: &str =
    r#"{"scheme":"zhipu_jwt","key":"0123456789abcdef0123456789abc777.0123456789abc777"}"#;
/// The simulated IAM knows an access key's secret: it is the key written backwards.
const PAIR: &str =
    r#"{"access_key":"ALTAKpair0123456778","secret_key":"8776543210riapKATLA","appid":"app-1"}"#;
const LONG: &str = r#"{"scheme":"baidu_key","key":"bce-v3/ALTAK-long/0123456779"}"#;

const MODELS: [(&str, &str); 6] = [
    ("openai", "gpt-4.1"),
    ("qwen", "qwen-plus"),
    ("glm", "glm-4.7"),
    ("ernie", "ernie-5.1"),
    ("spark", "4.0Ultra"),
    ("claude", "claude-haiku-4-5"),
];

fn secret(text: &str) -> Secret {
    text.to_owned().into()
}

fn token(id: &str, end: i64) -> Credential {
    Credential::Oauth { access_token: secret(&format!("at_{end}_{id}")) }
}

fn session(id: &str, end: i64) -> Credential {
    let named = |pairs: &[(&str, String)]| -> BTreeMap<String, Secret> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), secret(value))).collect()
    };
    Credential::Session {
        cookies: named(&[("sim_sid", id.to_owned()), ("sim_end", end.to_string())]),
        headers: named(&[("X-Sim-Csrf", id.to_owned())]),
    }
}

fn in_an_hour() -> Timestamp {
    clock::now() + SignedDuration::from_hours(1)
}

fn on(model: &str, account: AccountId, words: &str) -> Value {
    let mut body = ask(model, words);
    body["account_id"] = json!(account.0);
    body
}

/// An account answers whole, streamed and by a tool, and the platform has it in its books.
async fn works(rig: &Rig, platform: &str, model: &str, account: AccountId, owner: &str) {
    let whole = rig.chat(on(model, account, "repeat: 长城 🙂")).await;
    assert_eq!(whole.status, 200, "{platform}: {whole:?}");
    assert_eq!(whole.content(), "长城 🙂");
    let streamed = rig.chat_streamed(on(model, account, "repeat: one two 三 🙂")).await;
    assert_eq!(streamed.content(), "one two 三 🙂", "{platform}");
    let mut body = on(model, account, "What is the weather in Paris?");
    let parameters =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    body["tools"] = json!([{"type": "function", "function":
        {"name": "get_weather", "description": "The weather now.", "parameters": parameters}}]);
    let called = rig.chat(body).await.json();
    let call = &called["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(call["name"], "get_weather", "{platform}: {called}");
    assert_eq!(rig.last_row(platform).await["credential"], tail(owner), "{platform}");
    let record = rig.record(&whole).await;
    assert!(!record.estimated && record.attempts.len() == 1);
}

/// The last request to a platform's chat, as it came.
async fn sent(rig: &Rig, platform: &str) -> Value {
    rig.sent(platform).await.pop().unwrap()
}

both! {
    async fn every_key_that_a_platform_documents_proves_an_account(rig: Rig) {
        for (platform, model, file, owner) in [
            ("glm", "glm-4.7", ZHIPU, "0123456789abcdef0123456789abc777"),
            ("ernie", "ernie-5.1", PAIR, "ALTAKpair0123456778"),
            ("ernie", "ernie-5.1", LONG, "bce-v3/ALTAK-long/0123456779"),
        ] {
            let account = rig.bind(&rig.user, platform, owner, file, 1_000_000).await;
            works(&rig, platform, model, account, owner).await;
            let headers = sent(&rig, platform).await["headers"].clone();
            let key: Value = serde_json::from_str(file).unwrap();
            for held in key.as_object().unwrap().values().filter_map(Value::as_str) {
                let told = headers["authorization"].as_str().unwrap();
                assert!(!told.ends_with(&held[held.len() - 4..]), "{platform}: {told}");
            }
        }
        assert_eq!(rig.keys_made("ernie").await, 2);
        let pair = rig.account("ernie", 2).await;
        assert_eq!(pair.account.name, "ALTAKpair0123456778");
        let seal = pair.account.short_key.unwrap().sealed;
        assert!(seal.body.starts_with("v1.dek.") && seal.wrapped_key.starts_with("v1."), "{seal:?}");
    }
}

both! {
    async fn logins_are_sent_as_tokens_or_as_they_were_captured(rig: Rig) {
        let end = in_an_hour();
        for (number, (platform, model)) in MODELS.into_iter().enumerate() {
            let id = format!("login-{number}-oauth");
            let login = token(&id, end.as_second());
            let account = rig.bind_login(platform, &id, &login, Some(end)).await;
            works(&rig, platform, model, account, &id).await;
            if platform == "openai" {
                continue; // A session is no way to its API, and no face takes one.
            }
            let id = format!("login-{number}-sess");
            let login = session(&id, end.as_second());
            let account = rig.bind_login(platform, &id, &login, Some(end)).await;
            works(&rig, platform, model, account, &id).await;
            let headers = sent(&rig, platform).await["headers"].clone();
            assert!(headers["cookie"].is_string() && headers["x-sim-csrf"] == id.as_str(), "{headers}");
            assert!(headers["authorization"].is_null() && headers["x-api-key"].is_null(), "{headers}");
        }
    }
}

both! {
    async fn a_login_that_has_ended_is_expired_before_anything_is_sent(rig: Rig) {
        let ended = clock::now() - SignedDuration::from_secs(1);
        let login = token("login-of-old", in_an_hour().as_second());
        let account = rig.bind_login("openai", "old", &login, Some(ended)).await;
        let rows = rig.rows("openai").await.len();
        let answer = rig.chat(on("gpt-4.1", account, "hello")).await;
        assert_eq!(answer.row(), UNAUTHORIZED);
        assert_eq!(rig.rows("openai").await.len(), rows);
        let state = rig.account("openai", 2).await;
        let Health::Expired { reason } = &state.health else { panic!("{:?}", state.health) };
        assert!(reason.contains("login ended at"), "{reason}");
        assert_eq!(rig.account("openai", 2).await.windows[0].used, Tokens::ZERO);
        // Who asks for no account in particular is answered by another.
        rig.store.set_health(account, Health::Active).await.unwrap();
        for _ in 0..3 {
            assert_eq!(rig.chat(ask("gpt-4.1", "hello")).await.status, 200);
        }
    }
}

both! {
    async fn a_login_that_the_platform_ended_early_is_expired(rig: Rig) {
        let past = clock::now().as_second() - 1;
        for (name, login) in [("t", token("login-gone-1", past)), ("s", session("login-gone-2", past))] {
            let account = rig.bind_login("qwen", name, &login, Some(in_an_hour())).await;
            assert_eq!(rig.chat(on("qwen-plus", account, "hello")).await.row(), UNAUTHORIZED, "{name}");
            let states = rig.accounts("qwen").await;
            let state = states.iter().find(|state| state.account.id == account).unwrap();
            assert_eq!(state.health.status(), "expired");
        }
    }
}

both! {
    async fn a_platform_that_repeats_a_login_is_not_repeated(rig: Rig) {
        let login = token("login-echoed-01", in_an_hour().as_second());
        let echoed = login.secrets()[0].to_owned();
        let account = rig.bind_login("openai", "echo", &login, Some(in_an_hour())).await;
        let body = json!({"error": {"message": format!("no: {echoed}"), "code": "invalid_value", "param": echoed}});
        rig.fault("openai", json!({"kind": "status", "status": 400, "body": body})).await;
        let answer = rig.chat(on("gpt-4.1", account, "hello")).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(answer.status == 400 && !text.contains(&echoed) && !text.contains("login-echoed"), "{text}");
    }
}

both! {
    async fn of_all_gateways_one_makes_the_key(rig: Rig) {
        let account = rig.bind(&rig.user, "ernie", "pair", PAIR, 1_000_000_000).await;
        let other = rig.start_another(([127, 0, 0, 1], 0).into()).await.unwrap();
        // Slow enough that all of them come before there is a key.
        rig.fault("ernie", json!({"kind": "delay", "ms": 300, "on": "keys", "times": 0})).await;
        let own = rig.running.addresses.public;
        let asked = (0..24).map(|number| {
            let gateway = if number % 2 == 0 { own } else { other.addresses.public };
            rig.chat_at(gateway, &rig.token, on("ernie-5.1", account, "say 2 words"))
        });
        for answer in join_all(asked).await {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        assert_eq!(rig.keys_made("ernie").await, 1);
        other.drain().await;
    }
}

/// Puts the account's key back in time: it is due, or ends.
async fn age(rig: &Rig, account: AccountId) -> ShortKey {
    let key = rig.store.account(account).await.unwrap().unwrap().short_key.clone().unwrap();
    let due = ShortKey { renew_at: clock::now() - SignedDuration::from_secs(1), ..key };
    assert!(rig.store.keep_short_key(account, due.clone()).await.unwrap());
    due
}

both! {
    async fn a_key_is_renewed_before_its_end_and_nobody_waits(rig: Rig) {
        let account = rig.bind(&rig.user, "ernie", "pair", PAIR, 1_000_000_000).await;
        let chat = async || rig.chat(on("ernie-5.1", account, "hello")).await;
        assert_eq!(chat().await.status, 200);
        let due = age(&rig, account).await;
        rig.fault("ernie", json!({"kind": "delay", "ms": 1500, "on": "keys", "times": 0})).await;
        let since = Stopwatch::start();
        for _ in 0..5 {
            assert_eq!(chat().await.status, 200);
        }
        assert!(since.elapsed() < Duration::from_millis(1400), "{:?}", since.elapsed());
        let renewed = async || {
            let now = rig.store.account(account).await.unwrap().unwrap().short_key.clone().unwrap();
            now.sealed != due.sealed && now.renew_at > due.renew_at
        };
        rig.until(renewed).await;
        assert_eq!(rig.keys_made("ernie").await, 2);
        assert_eq!(chat().await.status, 200);
        assert_eq!(rig.keys_made("ernie").await, 2);
    }
}

both! {
    async fn a_renewal_that_fails_costs_nobody_anything_while_the_key_lives(rig: Rig) {
        let account = rig.bind(&rig.user, "ernie", "pair", PAIR, 1_000_000_000).await;
        let chat = async || rig.chat(on("ernie-5.1", account, "hello")).await;
        assert_eq!(chat().await.status, 200);
        age(&rig, account).await;
        rig.fault("ernie", json!({"kind": "class", "class": "auth_expired", "on": "keys", "times": 0})).await;
        for _ in 0..5 {
            assert_eq!(chat().await.status, 200);
        }
        assert_eq!(rig.account("ernie", 2).await.health, Health::Active);
        assert_eq!(rig.keys_made("ernie").await, 1);
    }
}

both! {
    async fn a_key_that_the_platform_ended_is_made_anew_once(rig: Rig) {
        let account = rig.bind(&rig.user, "ernie", "pair", PAIR, 1_000_000_000).await;
        let chat = async || rig.chat(on("ernie-5.1", account, "hello")).await;
        assert_eq!(chat().await.status, 200);
        tokio::time::sleep(Duration::from_millis(1100)).await; // Ends are told to the second.
        rig.end_keys("ernie").await;
        let answer = chat().await;
        assert_eq!((answer.status.as_u16(), answer.attempts()), (200, "1"), "{answer:?}");
        assert_eq!(rig.keys_made("ernie").await, 2);
        // Another that is refused too is the account's end.
        let refuse = json!({"kind": "class", "class": "auth_expired", "on": "chat", "times": 0});
        rig.fault("ernie", refuse).await;
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(chat().await.row(), UNAUTHORIZED);
        assert_eq!(rig.keys_made("ernie").await, 3);
        assert_eq!(rig.account("ernie", 2).await.health.status(), "expired");
    }
}

both! {
    async fn an_issuer_that_refuses_expires_the_account_and_one_that_fails_does_not(rig: Rig) {
        let wrong = PAIR.replace("8776543210riapKATLA", "another-secret-1234");
        let rows = rig.rows("ernie").await.len();
        let account = rig.bind(&rig.user, "ernie", "wrong", &wrong, 1_000_000).await;
        let answer = rig.chat(on("ernie-5.1", account, "hello")).await;
        assert_eq!(answer.row(), UNAUTHORIZED);
        assert!(answer.message().contains("signature"), "{answer:?}");
        assert_eq!(rig.account("ernie", 2).await.health.status(), "expired");
        for (number, fault) in [
            json!({"kind": "status", "status": 500, "body": {"code": "InternalError", "message": "so it is"}}),
            json!({"kind": "status", "status": 502, "body": "<html>"}),
            json!({"kind": "status", "status": 200, "body": {}}),
            json!({"kind": "status", "status": 400, "body": {"code": "InappropriateJSON", "message": "m"}}),
            json!({"kind": "close"}),
        ]
        .into_iter()
        .enumerate()
        {
            let key = format!("ALTAKfails0123456{number}");
            let secret: String = key.chars().rev().collect();
            let file = json!({"access_key": key, "secret_key": secret}).to_string();
            let account = rig.bind(&rig.user, "ernie", &key, &file, 1_000_000).await;
            let mut fault = fault;
            fault["on"] = json!("keys");
            rig.fault("ernie", fault.clone()).await;
            let answer = rig.chat(on("ernie-5.1", account, "hello")).await;
            assert_eq!(answer.row(), FAILED, "{fault}");
            let record = rig.record(&answer).await;
            assert_eq!(record.attempts[0].charge.tokens(), Tokens::ZERO, "{fault}: nothing was sent");
            let states = rig.accounts("ernie").await;
            let state = states.iter().find(|state| state.account.id == account).unwrap();
            assert_eq!(state.health, Health::Active, "{fault}");
        }
        assert_eq!(rig.rows("ernie").await.len(), rows, "no call was sent");
    }
}

both! {
    async fn a_gateway_that_died_while_it_made_a_key_holds_nobody_up(rig: Rig) {
        let account = rig.bind(&rig.user, "ernie", "pair", PAIR, 1_000_000_000).await;
        let dead = rig.store.claim_renewal(account, LeaseId(7), Duration::from_secs(1)).await;
        assert!(dead.unwrap());
        let since = Stopwatch::start();
        let answer = rig.chat(on("ernie-5.1", account, "hello")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(since.elapsed() > Duration::from_millis(700), "{:?}", since.elapsed());
        assert_eq!(rig.keys_made("ernie").await, 1);
    }
}

both! {
    async fn who_hangs_up_while_a_refused_key_is_made_anew_pays_nothing(rig: Rig) {
        let account = rig.bind(&rig.user, "ernie", "pair", PAIR, 1_000_000_000).await;
        let body = on("ernie-5.1", account, "hello");
        assert_eq!(rig.chat(body.clone()).await.status, 200);
        rig.end_keys("ernie").await;
        let made = rig.keys_made("ernie").await;
        rig.fault("ernie", json!({"kind": "delay", "ms": 1500, "on": "keys", "times": 0})).await;
        let refused = || async { rig.sent("ernie").await.len() };
        let before = refused().await;
        let asked = async {
            rig.until(async || refused().await > before).await;
            // The refusal is on its way back, or the next key is being made.
            tokio::time::sleep(Duration::from_millis(300)).await;
        };
        tokio::select! {
            answer = rig.chat(body) => panic!("{answer:?}"),
            () = asked => {}
        }
        rig.until(async || rig.charges("ernie").await.len() == 2).await;
        let kinds: Vec<ChargeKind> = rig.charges("ernie").await.iter().map(|row| row.kind).collect();
        assert_eq!(kinds, [ChargeKind::Exact, ChargeKind::Released]);
        rig.until(async || rig.keys_made("ernie").await > made).await;
    }
}

both! {
    #[wish(crate::rig::Wish {
        toml: "[[platforms.ernie.credential.also]]\nname = \"baidu_iam\"\n\
               issuer = { url = \"http://127.0.0.1:1/v1/token\" }\n",
        ..crate::rig::Wish::default()
    })]
    async fn an_issuer_that_nobody_reaches_blames_no_account(rig: Rig) {
        let account = rig.bind(&rig.user, "ernie", "pair", PAIR, 1_000_000_000).await;
        for _ in 0..5 {
            let answer = rig.chat(on("ernie-5.1", account, "hello")).await;
            assert_eq!(answer.row(), "502 server_error upstream_error");
        }
        let accounts = rig.accounts("ernie").await;
        let found = accounts.iter().find(|state| state.account.id == account).unwrap();
        assert_eq!(found.health, Health::Active);
    }
}

both! {
    async fn a_caller_that_hangs_up_breaks_no_key_off(rig: Rig) {
        let account = rig.bind(&rig.user, "ernie", "pair", PAIR, 1_000_000_000).await;
        rig.fault("ernie", json!({"kind": "delay", "ms": 600, "on": "keys", "times": 0})).await;
        let body = on("ernie-5.1", account, "hello");
        let gone: Result<Answer, _> =
            tokio::time::timeout(Duration::from_millis(200), rig.chat(body.clone())).await;
        assert!(gone.is_err());
        let there = async || {
            let account = rig.store.account(account).await.unwrap().unwrap();
            account.short_key.is_some()
        };
        rig.until(there).await;
        assert_eq!(rig.chat(body).await.status, 200);
        assert_eq!(rig.keys_made("ernie").await, 1);
        rig.all_settled("ernie").await;
    }
}

both! {
    #[wish(crate::rig::Wish {
        limits: [1, 1],
        operator_keys: &[("ernie", PAIR)],
        toml: "[[platforms.ernie.models]]\nname = \"ernie-5.1\"\nprice = { in = \"1\", out = 1 }\n",
        ..crate::rig::Wish::default()
    })]
    async fn an_operators_pair_makes_a_key_that_no_store_has(rig: Rig) {
        rig.store.grant_points(rig.user.id, "100".parse().unwrap(), "test").await.unwrap();
        let mut bought = 0;
        for _ in 0..6 {
            let answer = rig.chat(ask("ernie-5.1", "say 5 words")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            bought += u64::from(answer.header("x-tributary-billing") == "points");
        }
        assert!(bought >= 3, "{bought}");
        assert_eq!(rig.keys_made("ernie").await, 1);
    }
}

#[test]
fn no_header_map_prints_a_proof() {
    let catalogue = tributary::platforms::Catalogue::load(&toml::Table::new()).unwrap();
    for (platform, file) in [("glm", ZHIPU), ("openai", "sk-a-key-that-is-long")] {
        let face = catalogue.platform(platform).unwrap().face(None).unwrap();
        let credential = Credential::parse(face, file).unwrap();
        let mut request = UpstreamRequest {
            url: face.base_url.clone(),
            body: "{}".into(),
            streams: false,
            headers: HeaderMap::new(),
        };
        credential.prove(face, clock::now(), &mut request).unwrap();
        let printed = format!("{:?}", request.headers);
        assert!(!printed.contains("sk-a-key") && !printed.contains("eyJ"), "{printed}");
    }
}
