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
        let simulator = Simulator::start().await.unwrap();
        let origin = simulator.origin("openai").unwrap();
        let config = format!("[platforms.openai]\nbase_url = \"{origin}/v1\"\n");
        let rig = Rig::new(&config);
        let bench = Self { rig, simulator };
        bench.run(&["user", "add", "me"], "").ok();
        let words = ["account", "add", "--user", "me", "--platform", "openai", "--name", "one"];
        bench.run(&[&words[..], &["--key-file", "-", "--limit", "9000"]].concat(), KEY).ok();
        bench
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
    let url = format!("{}/_sim/ledger", bench.simulator.origin("openai").unwrap());
    let ledger = client().get(url.parse().unwrap()).await.unwrap();
    let ledger = ledger.into_body().collect().await.unwrap().to_bytes();
    let ledger: Value = serde_json::from_slice(&ledger).unwrap();
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
