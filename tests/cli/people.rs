//! Users: what they are, their passwords, and what disabling one does.

use serde_json::{Value, json};
use tributary::simulator::Simulator;

use crate::rig::Rig;
use crate::walk::{config, run, serve, status};

const WORD: &str = "correct horse battery";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_made_what_it_is_by_commands() {
    let simulator = Simulator::start().await.unwrap();
    let rig = Rig::new(&config(&simulator));
    let ann = run!(rig, ["--json", "user", "add", "ann", "--role", "operator"]).json();
    assert_eq!((&ann["role"], &ann["has_password"]), (&json!("operator"), &json!(false)));
    run!(rig, ["user", "add", "ben"]).ok();
    let short = run!(rig, ["user", "password", "ben", "--password-file", "-"], "short");
    assert_eq!(short.code, 64, "{short:?}");
    let nobody = run!(rig, ["user", "password", "cid", "--password-file", "-"], WORD);
    assert_eq!(nobody.code, 1, "{nobody:?}");
    // Nobody is asked where there is no terminal.
    assert_eq!(run!(rig, ["user", "password", "ben"]).code, 64);
    let set = run!(rig, ["user", "password", "ben", "--password-file", "-"], &format!("{WORD}\n"));
    assert!(!set.ok().all().contains(WORD));
    run!(rig, ["user", "role", "ann", "member"]).ok();
    run!(rig, ["user", "role", "ben", "operator"]).ok();
    run!(rig, ["user", "disable", "ann"]).ok();
    let listed = run!(rig, ["--json", "user", "list"]).json();
    let seen = |user: &Value| {
        let facts = ["name", "role", "enabled", "has_password"].map(|field| user[field].clone());
        Value::from(facts.to_vec())
    };
    let seen: Vec<Value> = listed.as_array().unwrap().iter().map(seen).collect();
    let ann = json!(["ann", "member", false, false]);
    assert_eq!(seen, [ann, json!(["ben", "operator", true, true])]);
    assert!(!listed.to_string().contains("argon2"), "{listed}");
    let table = run!(rig, ["user", "list"]).ok().out;
    assert!(table.contains("operator") && table.contains("disabled 20"), "{table}");
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_is_disabled_calls_no_more() {
    let simulator = Simulator::start().await.unwrap();
    let rig = Rig::new(&config(&simulator));
    run!(rig, ["user", "add", "ann"]).ok();
    let token = run!(rig, ["token", "create", "--user", "ann"]).ok().out;
    let (gateway, base) = serve(&rig);
    let me = base.replace("/v1", "/api/v1/me");
    assert_eq!(status(&me, token.trim()).await, 200);
    // Beside the gateway, which knows the caller for 50 ms.
    run!(rig, ["user", "disable", "ann"]).ok();
    while status(&me, token.trim()).await != 401 {}
    run!(rig, ["user", "enable", "ann"]).ok();
    while status(&me, token.trim()).await != 200 {}
    tokio::task::block_in_place(|| gateway.terminate());
    simulator.stop().await;
}
