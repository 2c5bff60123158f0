//! A new user's way: keys, a user, an account, a token, a gateway, commands beside it.

use std::time::Duration;

use serde_json::{Value, json};
use tributary::simulator::Simulator;

use crate::rig::{Rig, Running};
use crate::until::until;

const KEY: &str = "sk-walk-0123456789abcdef";

pub fn config(simulator: &Simulator) -> String {
    let origin = simulator.origin("qwen").unwrap();
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nthreads = 1\ndrain_notice = \"0s\"\n\
         [operator]\nlisten = \"127.0.0.1:0\"\n\
         [relay]\ntoken_cache = \"50ms\"\n\
         [platforms.qwen]\nbase_url = \"{origin}/compatible-mode/v1\"\n\
         [platforms.qwen.faces.dashscope]\nbase_url = \"{origin}/api/v1\"\n"
    )
}

/// Runs a command without keeping the simulator, which answers on this runtime, waiting.
macro_rules! run {
    ($rig:expr, $words:expr, $input:expr) => {
        tokio::task::block_in_place(|| $rig.run_with(&$words, $input))
    };
    ($rig:expr, $words:expr) => {
        run!($rig, $words, "")
    };
}

pub(crate) use run;

/// Starts a gateway; answers its base URL.
pub fn serve(rig: &Rig) -> (Running, String) {
    let mut gateway = rig.start(&["serve", "--json"]);
    let line = tokio::task::block_in_place(|| gateway.first_line());
    let facts: Value = serde_json::from_str(&line).unwrap();
    (gateway, facts["base_url"].as_str().unwrap().to_owned())
}

fn client() -> hyper_util::client::legacy::Client<
    hyper_util::client::legacy::connect::HttpConnector,
    http_body_util::Full<bytes::Bytes>,
> {
    let executor = hyper_util::rt::TokioExecutor::new();
    hyper_util::client::legacy::Client::builder(executor).build_http()
}

async fn get(url: &str) -> Option<u16> {
    client().get(url.parse().unwrap()).await.ok().map(|answer| answer.status().as_u16())
}

/// What a call with a token is answered.
pub async fn status(url: &str, token: &str) -> u16 {
    let request = http::Request::get(url).header("authorization", format!("Bearer {token}"));
    let request = request.body(http_body_util::Full::default()).unwrap();
    client().request(request).await.unwrap().status().as_u16()
}

async fn fetch(url: &str) -> Value {
    use http_body_util::BodyExt;
    let answer = client().get(url.parse().unwrap()).await.unwrap();
    serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

pub async fn chat(base_url: &str, token: &str) -> (u16, Value) {
    use http_body_util::BodyExt;
    let body = json!({"model": "qwen-plus", "messages": [{"role": "user", "content": "hi"}]});
    let request = http::Request::post(format!("{base_url}/chat/completions"))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(http_body_util::Full::from(body.to_string()))
        .unwrap();
    let answer = client().request(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readmes_way_ends_in_an_answer() {
    let simulator = Simulator::start().await.unwrap();
    let rig = Rig::new(&config(&simulator));

    let user = run!(rig, ["user", "add", "me", "--json"]).json();
    assert_eq!(user["name"], "me");
    let add = ["account", "add", "--user", "me", "--platform", "qwen", "--name", "first"];
    let add = [&add[..], &["--key-file", "-", "--limit", "5000", "--json"]].concat();
    let account = run!(rig, add, &format!("{KEY}\n")).json();
    assert_eq!(account["status"], "active");
    let id = account["id"].to_string();
    let check = run!(rig, ["account", "check", "--user", "me", "first", "--json"]).json();
    assert_eq!((&check["verdict"], &check["status"]), (&json!("valid"), &json!("active")));
    let token = run!(rig, ["token", "create", "--user", "me"]).ok().out.trim().to_owned();

    let (gateway, base_url) = serve(&rig);
    let (status, answer) = chat(&base_url, &token).await;
    assert_eq!(status, 200, "{answer}");
    let used = &answer["usage"]["total_tokens"];

    // Beside the gateway, which holds the file.
    let read = async || run!(rig, ["account", "list", "--json"]).json();
    let accounts = until(read, |all| all[0]["windows"][0]["leased"] == 0).await;
    let window = &accounts[0]["windows"][0];
    assert_eq!(accounts[0]["id"].to_string(), id);
    assert_eq!((&window["period"], &window["limit"]), (&json!("day"), &json!(5000)));
    assert_eq!(window["used"], *used, "{window}");
    let tokens = run!(rig, ["token", "list", "--json"]).json();
    assert_eq!(tokens[0]["last_four"], token[token.len() - 4..]);
    let second = run!(rig, ["token", "create", "--user", "me", "--json"]).json();
    let second = second["token"].as_str().unwrap();
    assert_eq!(chat(&base_url, second).await.0, 200);
    let checked = run!(rig, ["account", "check", &id, "--json"]).json();
    assert_eq!(checked["verdict"], "valid");

    // Settled behind the answers.
    let read = async || run!(rig, ["usage", "--json"]).json();
    let records = until(read, |rows| rows.as_array().unwrap().len() == 2).await;
    assert_eq!(records[1]["outcome"], "ok", "{records}");
    assert!(run!(rig, ["usage"]).ok().out.lines().count() == 3);
    assert_eq!(records[1]["attempts"][0]["candidates"], 1, "{records}");
    let sheet = run!(rig, ["usage", "--csv"]).ok().out;
    let lines: Vec<&str> = sheet.lines().collect();
    assert!(lines.len() == 3 && lines[0].starts_with("at,id,user,token,model,"), "{sheet}");
    assert!(lines[2].contains(",me,") && lines[2].ends_with(",ok"), "{sheet}");
    let totals = ["usage", "--totals", "--by", "user,account,model", "--json"];
    let totals = run!(rig, totals).json();
    let told = |record: &Value, count: &str| record[count].as_u64().unwrap();
    let input = told(&records[0], "input") + told(&records[1], "input");
    assert_eq!(totals.as_array().unwrap().len(), 1, "{totals}");
    assert_eq!((&totals[0]["calls"], &totals[0]["input"]), (&json!(2), &json!(input)));
    assert_eq!((&totals[0]["user"], totals[0]["account"].to_string()), (&json!("me"), id.clone()));
    assert!(totals[0].get("day").is_none(), "{totals}");
    assert_eq!(run!(rig, ["usage", "--csv", "--json"]).code, 64);

    run!(rig, ["token", "revoke", &tokens[0]["id"].to_string()]).ok();
    let refused = async {
        while chat(&base_url, &token).await.0 != 401 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), refused).await.expect("the token is refused");
    assert_eq!(chat(&base_url, second).await.0, 200);

    let done = tokio::task::block_in_place(|| gateway.terminate());
    assert_eq!(done.code, 0, "{done:?}");
    assert!(!done.all().contains(KEY) && !done.all().contains(&token), "{done:?}");
    // The file is free again.
    assert_eq!(run!(rig, ["user", "list", "--json"]).json()[0]["name"], "me");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_may_be_bound_in_another_face_of_its_platform() {
    let simulator = Simulator::start().await.unwrap();
    let rig = Rig::new(&config(&simulator));
    run!(rig, ["user", "add", "me"]).ok();
    let add = ["account", "add", "--user", "me", "--platform", "qwen", "--name", "native"];
    let add = [&add[..], &["--key-file", "-", "--dialect", "dashscope", "--json"]].concat();
    let account = run!(rig, add, &format!("{KEY}\n")).json();
    assert_eq!((&account["dialect"], &account["status"]), (&json!("dashscope"), &json!("active")));
    // It has no list of models; the same key reads that of the usual face.
    let check = run!(rig, ["account", "check", "--user", "me", "native", "--json"]).json();
    assert_eq!((&check["verdict"], &check["status"]), (&json!("valid"), &json!("active")));
    let token = run!(rig, ["token", "create", "--user", "me"]).ok().out.trim().to_owned();
    let (gateway, base_url) = serve(&rig);
    let (status, answer) = chat(&base_url, &token).await;
    assert_eq!(status, 200, "{answer}");
    let sent = fetch(&format!("{}/_sim/requests?last=1", simulator.origin("qwen").unwrap())).await;
    let path = "/api/v1/services/aigc/text-generation/generation";
    assert_eq!(sent[0]["path"], path, "{sent}");
    assert_eq!(tokio::task::block_in_place(|| gateway.terminate()).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_without_the_gateways_ring_gets_nothing_from_it() {
    let simulator = Simulator::start().await.unwrap();
    let mut rig = Rig::new(&config(&simulator));
    run!(rig, ["user", "add", "me"]).ok();
    let (gateway, _) = serve(&rig);

    rig.set("TRIBUTARY_MASTER_KEYS", "x:__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA");
    for words in [&["user", "list"][..], &["token", "create", "--user", "me"]] {
        let done = run!(rig, *words);
        assert_ne!(done.code, 0);
        assert!(done.err.contains("TRIBUTARY_MASTER_KEYS"), "{done:?}");
    }
    rig.unset("TRIBUTARY_MASTER_KEYS");
    let done = run!(rig, ["user", "list"]);
    assert_eq!(done.code, 78, "{done:?}");
    assert_eq!(tokio::task::block_in_place(|| gateway.terminate()).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_tells_a_key_that_the_platform_refuses() {
    let simulator = Simulator::start().await.unwrap();
    let rig = Rig::new(&config(&simulator));
    run!(rig, ["user", "add", "me"]).ok();
    let words = ["account", "add", "--user", "me", "--platform", "qwen", "--name", "bad"];
    let bad = "not-a-key-of-this-platform";
    run!(rig, [&words[..], &["--key-file", "-"]].concat(), bad).ok();
    let done = run!(rig, ["account", "check", "bad", "--json"]);
    assert_eq!(done.code, 1, "{done:?}");
    let check: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!((&check["verdict"], &check["status"]), (&json!("expired"), &json!("expired")));
    assert!(!done.all().contains(bad), "{done:?}");
    let listed = run!(rig, ["account", "list", "--json"]).json();
    assert_eq!(listed[0]["status"], "expired");
    assert!(listed[0]["reason"].as_str().unwrap().contains("401"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_a_person_switched_off_rests_until_it_is_switched_on() {
    let simulator = Simulator::start().await.unwrap();
    let rig = Rig::new(&config(&simulator));
    run!(rig, ["user", "add", "me"]).ok();
    let words = ["account", "add", "--user", "me", "--platform", "qwen", "--name", "only"];
    run!(rig, [&words[..], &["--key-file", "-"]].concat(), KEY).ok();
    let token = run!(rig, ["token", "create", "--user", "me"]).ok().out.trim().to_owned();
    let (gateway, base_url) = serve(&rig);
    assert_eq!(chat(&base_url, &token).await.0, 200);

    let off = run!(rig, ["account", "disable", "only", "--json"]).json();
    assert_eq!((&off["status"], &off["reason"]), (&json!("disabled"), &json!("by hand")));
    let (status, answer) = chat(&base_url, &token).await;
    assert_eq!((status, &answer["error"]["code"]), (502, &json!("account_unauthorized")));
    // The platform takes its key, but a person's word stands.
    let checked = run!(rig, ["account", "check", "only", "--json"]).json();
    assert_eq!((&checked["verdict"], &checked["status"]), (&json!("valid"), &json!("disabled")));
    let id = off["id"].to_string();
    let on = run!(rig, ["account", "enable", &id]).ok();
    assert_eq!(on.out, format!("account {id} `only` is active\n"));
    assert_eq!(chat(&base_url, &token).await.0, 200);

    // Removed, it is gone with its records; what it counted stays.
    let read = async || run!(rig, ["usage", "--json"]).json();
    until(read, |rows| rows.as_array().unwrap().len() == 3).await;
    let gone = run!(rig, ["account", "remove", "only"]).ok();
    assert_eq!(gone.out, format!("account {id} `only` is removed, with its records\n"));
    let (status, answer) = chat(&base_url, &token).await;
    assert_eq!((status, &answer["error"]["code"]), (404, &json!("model_not_found")));
    assert_eq!(run!(rig, ["account", "remove", "only"]).code, 1);
    assert_eq!(run!(rig, ["account", "list", "--json"]).json(), json!([]));
    let kept = run!(rig, ["usage", "--json"]).json();
    let outcomes: Vec<&Value> = kept.as_array().unwrap().iter().map(|it| &it["outcome"]).collect();
    assert!(!outcomes.contains(&&json!("ok")), "{kept}");
    let totals = run!(rig, ["usage", "--totals", "--by", "platform,account", "--json"]).json();
    let used = totals.as_array().unwrap().iter().find(|it| it["platform"] == "qwen").unwrap();
    assert!(used["calls"] == 2 && used.get("account").is_none(), "{totals}");

    let none = run!(rig, ["account", "enable", "none"]);
    assert!(none.code == 1 && none.err.contains("there is no account `none`"), "{none:?}");
    assert_eq!(tokio::task::block_in_place(|| gateway.terminate()).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_answers_and_says_where_in_one_line() {
    // The operator's own address would win over the simulated platform's, and is nobody's.
    let mut rig =
        Rig::without_keys("[platforms.qwen]\nbase_url = 'http://127.0.0.1:1/compatible-mode/v1'");
    rig.set("TRIBUTARY_SERVER__THREADS", "1");
    rig.set("TRIBUTARY_SERVER__DRAIN_NOTICE", "0s");
    let store = format!("sqlite:{}", rig.path().join("demo.db").display());
    let words = ["demo", "--json", "--listen", "127.0.0.1:0", "--store", &store];
    let mut demo = rig.start(&words);
    let line = tokio::task::block_in_place(|| demo.first_line());
    let facts: Value = serde_json::from_str(&line).unwrap();
    let base_url = facts["base_url"].as_str().unwrap();
    assert!(base_url.ends_with("/v1"));
    assert_eq!(facts["platforms"].as_object().unwrap().len(), 6);
    let (status, answer) = chat(base_url, facts["token"].as_str().unwrap()).await;
    assert_eq!(status, 200, "{answer}");
    let ledger = format!("{}/_sim/ledger", facts["platforms"]["qwen"]["url"].as_str().unwrap());
    assert_eq!(get(&ledger).await, Some(200));
    // Commands beside it find its store and the ring that it made.
    rig.set("TRIBUTARY_STORE__URL", &store);
    let accounts = run!(rig, ["account", "list", "--json"]).json();
    assert_eq!(accounts.as_array().unwrap().len(), 12);
    assert_eq!(tokio::task::block_in_place(|| demo.terminate()).code, 0);

    // A second demo on the same store keeps what is bound.
    let mut demo = rig.start(&words);
    tokio::task::block_in_place(|| demo.first_line());
    let accounts = run!(rig, ["account", "list", "--json"]).json();
    assert_eq!(accounts.as_array().unwrap().len(), 12);
    assert_eq!(tokio::task::block_in_place(|| demo.terminate()).code, 0);
}
