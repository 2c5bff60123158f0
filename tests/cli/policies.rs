//! Policies and priorities as an operator sets them, beside a live gateway.

use serde_json::json;
use tributary::simulator::Simulator;

use crate::rig::Rig;
use crate::until::until;
use crate::walk::{chat, config, run, serve};

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_gets_a_policy_and_an_account_a_priority() {
    let simulator = Simulator::start().await.unwrap();
    let rig = Rig::new(&(config(&simulator) + "[store]\npolicy = \"round_robin\"\n"));
    run!(rig, ["user", "add", "me"]).ok();
    for (name, more) in [("big", "--limit=900000"), ("small", "--priority=7")] {
        let add = ["account", "add", "--user", "me", "--platform", "qwen", "--key-file", "-"];
        let add = [&add[..], &["--name", name, more]].concat();
        run!(rig, add, &format!("sk-of-{name}-0123456789")).ok();
    }
    let refused = ["account", "edit", "big", "--priority", "101"];
    assert_eq!(run!(rig, refused).code, 64);
    let token = run!(rig, ["token", "create", "--user", "me"]).ok().out.trim().to_owned();
    let pools = run!(rig, ["pool", "list", "--json"]).json();
    let usual = json!({"id": 1, "kind": "personal", "name": "me", "user": "me", "members": [],
        "policy": "round_robin", "default": true});
    assert_eq!(pools, json!([usual]));

    let (gateway, base_url) = serve(&rig);
    assert_eq!(chat(&base_url, &token).await.0, 200);
    let refused = run!(rig, ["pool", "policy", "me", "fair"]);
    assert!(refused.code == 64 && refused.all().contains("most_remaining"), "{refused:?}");
    let set = run!(rig, ["pool", "policy", "me", "priority", "--json"]).json();
    assert_eq!((&set["policy"], &set["default"]), (&json!("priority"), &json!(false)));
    assert_eq!(chat(&base_url, &token).await.0, 200);
    run!(rig, ["account", "edit", "big", "--priority", "1"]).ok();
    assert_eq!(chat(&base_url, &token).await.0, 200);
    let accounts = run!(rig, ["account", "list", "--json"]).json();
    assert_eq!((&accounts[0]["priority"], &accounts[1]["priority"]), (&json!(1), &json!(7)));

    let read = async || run!(rig, ["usage", "--json"]).json();
    let records = until(read, |rows| rows.as_array().unwrap().len() == 3).await;
    let attempt = |index: usize| &records[index]["attempts"][0];
    let chosen = |index| (attempt(index)["account"].clone(), attempt(index)["policy"].clone());
    assert_eq!(chosen(0), (json!(1), json!("priority")), "{records}");
    assert_eq!(chosen(1), (json!(2), json!("priority")), "{records}");
    assert_eq!(attempt(2)["policy"], "round_robin", "{records}");
    let sheet = run!(rig, ["usage", "--csv"]).ok().out;
    assert!(sheet.lines().next().unwrap().contains(",candidates,policy,stayed,"), "{sheet}");
    assert!(sheet.lines().nth(1).unwrap().contains(",2,priority,false,"), "{sheet}");

    run!(rig, ["pool", "policy", "me", "default"]).ok();
    assert_eq!(run!(rig, ["pool", "list", "--json"]).json(), json!([usual]));
    tokio::task::block_in_place(|| gateway.terminate());
}
