//! `account check` and `account list`: what is wrong with an account, and what to do.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tributary::simulator::Simulator;

use crate::rig::{Done, Rig};

const KEY: &str = "sk-check-0123456789abcdef";

/// One account on a simulated platform.
struct Bench {
    rig: Rig,
    simulator: Simulator,
}

impl Bench {
    async fn new() -> Self {
        Self::on("openai", "/v1", "", KEY).await
    }

    /// With more of the platform's entry, in which `ORIGIN` is the simulator's.
    async fn on(platform: &str, base: &str, more: &str, key: &str) -> Self {
        let simulator = Simulator::start().await.unwrap();
        let origin = simulator.origin(platform).unwrap();
        let config = format!("[platforms.{platform}]\nbase_url = \"{origin}{base}\"\n{more}");
        let rig = Rig::new(&config.replace("ORIGIN", &origin));
        let bench = Self { rig, simulator };
        bench.run(&["user", "add", "me"], "").ok();
        let words = ["account", "add", "--user", "me", "--platform", platform, "--name", "one"];
        bench.run(&[&words[..], &["--key-file", "-", "--limit", "9000"]].concat(), key).ok();
        bench
    }

    /// What a simulated platform's operator sees.
    async fn seen(&self, platform: &str, what: &str) -> Value {
        let url = format!("{}/_sim/{what}", self.simulator.origin(platform).unwrap());
        let seen = client().get(url.parse().unwrap()).await.unwrap();
        let seen = seen.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&seen).unwrap()
    }

    /// Runs a command without keeping the simulator, which answers on this runtime, waiting.
    fn run(&self, words: &[&str], input: &str) -> Done {
        tokio::task::block_in_place(|| self.rig.run_with(words, input))
    }

    /// What a check says when the platform's list of models answers with a fault.
    async fn check(&self, fault: Value) -> (Value, i32) {
        let mut fault = fault;
        fault["on"] = json!("models");
        let url = format!("{}/_sim/faults", self.simulator.origin("openai").unwrap());
        let request =
            http::Request::post(url).body(Full::from(Bytes::from(fault.to_string()))).unwrap();
        assert!(client().request(request).await.unwrap().status().is_success());
        self.check_now()
    }

    fn check_now(&self) -> (Value, i32) {
        let done = self.run(&["account", "check", "one", "--json"], "");
        assert!(!done.all().contains(KEY), "{done:?}");
        (serde_json::from_str(&done.out).unwrap(), done.code)
    }

    fn listed(&self) -> Value {
        self.run(&["account", "list", "--json"], "").json()[0].clone()
    }
}

fn client() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(hyper_util::rt::TokioExecutor::new()).build_http()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_tells_what_is_wrong_apart_and_a_good_answer_ends_it() {
    let bench = Bench::new().await;
    let class = |class: &str| json!({"kind": "class", "class": class});
    for (fault, verdict, status) in [
        (class("auth_expired"), "expired", "expired"),
        (class("banned"), "banned", "banned"),
        (class("quota_exhausted"), "exhausted", "active"),
        (class("rate_limited"), "limited", "active"),
        (class("overloaded"), "unreachable", "active"),
        (json!({"kind": "close"}), "unreachable", "active"),
        (json!({"kind": "status", "status": 404}), "unknown", "active"),
    ] {
        let (told, code) = bench.check(fault).await;
        assert_eq!((&told["verdict"], &told["status"]), (&json!(verdict), &json!(status)));
        assert_eq!(code, i32::from(verdict != "unknown"), "{told}");
        assert!(told["saw"].as_str().is_some_and(|saw| !saw.is_empty()), "{told}");
        assert!(told["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{told}");
        let listed = bench.listed();
        assert_eq!(listed["status"], status);
        assert_eq!(listed["fix"].is_null(), status == "active", "{listed}");
        let (told, code) = bench.check_now();
        assert_eq!(
            (&told["verdict"], &told["status"], code),
            (&json!("valid"), &json!("active"), 0)
        );
        assert_eq!(bench.listed()["status"], "active");
    }
    // It asked for nothing that costs.
    let ledger = bench.seen("openai", "ledger").await;
    assert_eq!(ledger["requests"], json!([]), "{ledger}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_why_an_account_is_off_and_what_to_do() {
    let bench = Bench::new().await;
    bench.run(&["account", "disable", "one"], "").ok();
    let listed = bench.listed();
    assert_eq!(listed["reason"], "by hand");
    assert!(listed["fix"].as_str().unwrap().contains("tributary account enable"), "{listed}");
    assert_eq!(listed["windows"][0]["limit_from"], "hand");
    let table = bench.run(&["account", "list"], "").ok().out;
    assert!(table.contains("by hand: a person switched it off"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_qwen_goes_with_a_key_of_a_minute() {
    let bench = Bench::on("qwen", "/compatible-mode/v1", "", KEY).await;
    let (told, code) = bench.check_now();
    assert_eq!((&told["verdict"], code), (&json!("valid"), 0), "{told}");
    assert_eq!(bench.seen("qwen", "keys").await, json!({"made": 1, "live": 1}));
    let requests = bench.seen("qwen", "requests").await;
    let last = &requests.as_array().unwrap()[1];
    assert_eq!(last["path"], "/compatible-mode/v1/models");
    let told = last["headers"]["authorization"].as_str().unwrap();
    assert!(!told.ends_with(&KEY[KEY.len() - 4..]), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_a_key_pair_asks_its_issuer() {
    let issuer = "[[platforms.ernie.credential.also]]\nname = \"baidu_iam\"\n\
                  issuer = { url = \"ORIGIN/v1/BCE-BEARER/token\" }\n";
    let pair = r#"{"access_key":"ALTAKcheck012345","secret_key":"543210kcehcKATLA"}"#;
    let bench = Bench::on("ernie", "/v2", issuer, pair).await;
    let (told, code) = bench.check_now();
    assert_eq!((&told["verdict"], code), (&json!("valid"), 0), "{told}");
    assert_eq!(bench.seen("ernie", "keys").await["made"], 1);
    let wrong = pair.replace("543210kcehcKATLA", "of-another-pair");
    let bench = Bench::on("ernie", "/v2", issuer, &wrong).await;
    let (told, code) = bench.check_now();
    assert_eq!(
        (&told["verdict"], &told["status"], code),
        (&json!("expired"), &json!("expired"), 1)
    );
    assert!(told["saw"].as_str().unwrap().contains("signature"), "{told}");
    assert!(!told.to_string().contains("of-another-pair"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_file_that_lacks_a_field_is_told_which_and_never_what_it_holds() {
    let bench = Bench::new().await;
    for (platform, file, lacks) in [
        ("ernie", r#"{"access_key":"ALTAK-my-own"}"#, "lacks the field `secret_key`"),
        ("ernie", r#"{"secret_key":"my-own"}"#, "lacks the field `access_key`"),
        ("ernie", r#"{"scheme":"my-own","key":"my-own"}"#, "it may be: baidu_iam, baidu_key"),
        ("glm", r#"{"scheme":"zhipu_jwt","key":"my-own"}"#, "is not of the form `id.secret`"),
        ("qwen", r#"{"kind":"oauth","access_token":"my-own"}"#, "lacks the field `key`"),
    ] {
        let words = ["account", "add", "--user", "me", "--platform", platform, "--name", "two"];
        let done = bench.run(&[&words[..], &["--key-file", "-"]].concat(), file);
        assert_ne!(done.code, 0);
        assert!(done.all().contains(lacks) && !done.all().contains("my-own"), "{}", done.all());
    }
    assert_eq!(bench.run(&["account", "list", "--json"], "").json().as_array().unwrap().len(), 1);
}
