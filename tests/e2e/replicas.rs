//! Gateways that share one Redis: what one changes, every one follows within five seconds.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tributary::accounts::Resets;
use tributary::simulator::Simulator;
use tributary::telemetry::clock::Stopwatch;

use crate::both;
use crate::rig::{Grants, KEYS, Rig, Server, ask, configured};
use crate::shell::{self, Running};

const AT_MOST: Duration = Duration::from_secs(5);

/// Two gateways, and commands beside them.
struct Pair {
    shell: shell::Rig,
    gateways: Vec<(Running, String)>,
}

impl Pair {
    fn start(url: &str, simulator: &Simulator) -> Self {
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nthreads = 1\n[operator]\nlisten = \"127.0.0.1:0\"\n\
             [store]\nurl = \"{url}\"\n[log]\nfilter = \"error\"\n{}",
            configured(simulator)
        );
        let shell = shell::Rig::new(&config);
        let gateways = (0..2).map(|_| {
            let mut gateway = shell.start(&["--json", "serve"]);
            let line: Value = serde_json::from_str(&gateway.first_line()).unwrap();
            (gateway, line["base_url"].as_str().unwrap().to_owned())
        });
        let gateways = gateways.collect();
        Self { shell, gateways }
    }

    fn add_account(&self, platform: &str, name: &str, key: &str) {
        let file = self.shell.write("key", key);
        let words = ["account", "add", "--user", "tester", "--platform", platform, "--name", name];
        let words = [&words[..], &["--key-file", file.to_str().unwrap()]].concat();
        self.shell.run(&words).ok();
    }

    fn token(&self) -> (String, String) {
        let token = self.shell.run(&["--json", "token", "create", "--user", "tester"]).json();
        (token["token"].as_str().unwrap().to_owned(), token["id"].to_string())
    }

    /// Waits until every gateway answers a chat so; answers how long that took.
    async fn all_answer(&self, token: &str, model: &str, status: u16, code: &str) -> Duration {
        let since = Stopwatch::start();
        for (_, base_url) in &self.gateways {
            loop {
                let answer = chat(base_url, token, model).await;
                if answer == (status, code.to_owned()) {
                    break;
                }
                assert!(since.elapsed() < 2 * AT_MOST, "{answer:?}, not {status} {code}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        since.elapsed()
    }
}

async fn chat(base_url: &str, token: &str, model: &str) -> (u16, String) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::post(format!("{base_url}/chat/completions"))
        .header("authorization", format!("Bearer {token}"))
        .body(Full::from(ask(model, "say 2 words").to_string()))
        .unwrap();
    let answer = client.request(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    (status, body["error"]["code"].as_str().unwrap_or("ok").to_owned())
}

both! {
    async fn the_zone_of_an_account_that_was_bound_since_is_known(rig: Rig) {
        let user = rig.store.add_user("traveller").await.unwrap();
        let (_, token) = rig.token(&user, Grants::default()).await;
        rig.bind_in("America/Lima", &user, "openai", "lima", KEYS[0].1[0], 1_000_000).await;
        let since = Stopwatch::start();
        rig.until(async || {
            assert_eq!(rig.chat_as(&token, ask("gpt-4.1", "say 2 words")).await.status, 200);
            // Nobody tells the store a zone here: it shows what the gateway told it.
            let shown = rig.store.accounts_in(&[user.pool], &Resets::default()).await.unwrap();
            shown[0].windows[0].resets_at.is_some()
        })
        .await;
        assert!(since.elapsed() < AT_MOST, "{:?}", since.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_is_seen_by_every_gateway_within_five_seconds() {
    let server = Server::shared();
    let simulator = Simulator::start().await.unwrap();
    let pair = Pair::start(&server.fresh_url(), &simulator);
    pair.shell.run(&["user", "add", "tester"]).ok();
    let [(openai, keys), (qwen, _)] = [KEYS[0], KEYS[1]];
    assert_eq!((openai, qwen), ("openai", "qwen"));
    pair.add_account(openai, "first", keys[0]);
    let (old, old_id) = pair.token();
    let (token, _) = pair.token();
    let soon = |took: Duration| assert!(took < AT_MOST, "{took:?}");

    // What both remember from here on.
    for token in [&old, &token] {
        pair.all_answer(token, "gpt-4.1", 200, "ok").await;
    }
    pair.all_answer(&token, "qwen-plus", 404, "model_not_found").await;

    pair.shell.run(&["token", "revoke", &old_id]).ok();
    soon(pair.all_answer(&old, "gpt-4.1", 401, "invalid_api_key").await);
    pair.shell.run(&["account", "disable", "first"]).ok();
    soon(pair.all_answer(&token, "gpt-4.1", 502, "account_unauthorized").await);
    pair.shell.run(&["account", "enable", "first"]).ok();
    soon(pair.all_answer(&token, "gpt-4.1", 200, "ok").await);
    pair.add_account(qwen, "second", KEYS[1].1[0]);
    soon(pair.all_answer(&token, "qwen-plus", 200, "ok").await);

    pair.shell.run(&["account", "remove", "first"]).ok();
    soon(pair.all_answer(&token, "gpt-4.1", 404, "model_not_found").await);
    // Bound anew by another key, it is that key's.
    pair.add_account(openai, "first", keys[1]);
    soon(pair.all_answer(&token, "gpt-4.1", 200, "ok").await);
    let totals = ["usage", "--totals", "--by", "account,platform", "--json"];
    let totals = pair.shell.run(&totals).json();
    let openai: Vec<&Value> =
        totals.as_array().unwrap().iter().filter(|it| it["platform"] == "openai").collect();
    assert!(openai.iter().any(|it| it.get("account").is_none()), "{totals}");
    assert!(openai.iter().all(|it| it["account"] != json!(1)), "{totals}");
    for (gateway, _) in pair.gateways {
        assert_eq!(gateway.terminate().code, 0);
    }
}
