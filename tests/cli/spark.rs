//! Spark's two credentials: an APIPassword speaks HTTP, a triple the WebSocket.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use serde_json::{Value, json};
use tributary::simulator::Simulator;

use crate::rig::Rig;
use crate::walk::run;

const TRIPLE: &str = r#"{"app_id": "01234567", "api_key": "0123456789abcdef0123456789abcd01",
    "api_secret": "MTBkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="}"#;

async fn bench() -> (Simulator, Rig) {
    let simulator = Simulator::start().await.unwrap();
    let origin = simulator.origin("spark").unwrap();
    let socket = origin.replace("http://", "ws://");
    let rig = Rig::new(&format!(
        "[platforms.spark]\nbase_url = \"{origin}/v1\"\n\
         [platforms.spark.faces.spark_ws]\nbase_url = \"{socket}\"\n"
    ));
    run!(rig, ["user", "add", "me"]).ok();
    (simulator, rig)
}

const ADD: [&str; 8] = ["account", "add", "--user", "me", "--platform", "spark", "--key-file", "-"];

#[tokio::test(flavor = "multi_thread")]
async fn the_kind_of_a_credential_picks_the_face() {
    let (_simulator, rig) = bench().await;
    for (name, key, dialect) in
        [("http", "an-api-password-0001", "openai_chat"), ("socket", TRIPLE, "spark_ws")]
    {
        let added = run!(rig, [&ADD[..], &["--name", name, "--json"]].concat(), key).json();
        assert_eq!(added["dialect"], dialect);
    }
    let other = [&ADD[..], &["--name", "x", "--dialect", "spark_ws"]].concat();
    let refused = run!(rig, other, "an-api-password-0001");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("lacks the field `app_id`"), "{refused:?}");
    let part = r#"{"app_id": "01234567", "api_key": "0123456789abcdef0123456789abcd01"}"#;
    let refused = run!(rig, [&ADD[..], &["--name", "y"]].concat(), part);
    assert!(refused.code == 1 && !refused.all().contains("456789abcdef"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_triple_is_checked_by_a_handshake_that_asks_for_nothing() {
    let (simulator, rig) = bench().await;
    run!(rig, [&ADD[..], &["--name", "one"]].concat(), TRIPLE).ok();
    let origin = simulator.origin("spark").unwrap();
    let client = Client::builder(hyper_util::rt::TokioExecutor::new()).build_http::<Full<Bytes>>();
    let fault = async |fault: Value| {
        let request = http::Request::post(format!("{origin}/_sim/faults"));
        let request = request.body(Full::from(Bytes::from(fault.to_string()))).unwrap();
        assert!(client.request(request).await.unwrap().status().is_success());
    };
    let check = || {
        let done = run!(rig, ["account", "check", "one", "--json"]);
        assert!(!done.all().contains("MTBkY2Jh"), "{done:?}");
        serde_json::from_str::<Value>(&done.out).unwrap()
    };
    assert_eq!(check()["verdict"], "valid");
    fault(json!({"kind": "class", "class": "auth_expired", "on": "handshake"})).await;
    let told = check();
    assert_eq!((&told["verdict"], &told["status"]), (&json!("expired"), &json!("expired")));
    assert_eq!(check()["status"], "active", "a good answer ends it");
    fault(json!({"kind": "clock", "ahead_s": 900})).await;
    let told = check();
    assert_eq!((&told["verdict"], &told["status"]), (&json!("unreachable"), &json!("active")));
    assert!(told["fix"].as_str().unwrap().contains("clock"), "{told}");
    let ledger = client.get(format!("{origin}/_sim/ledger").parse().unwrap()).await.unwrap();
    let ledger = ledger.into_body().collect().await.unwrap().to_bytes();
    let ledger: Value = serde_json::from_slice(&ledger).unwrap();
    let asked = ledger["requests"].as_array().unwrap();
    assert!(asked.iter().all(|row| row["prompt_tokens"] == 0), "{ledger}");
}
