//! Points as an operator handles them: a key, a price, grants, balances, ledgers.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tributary::simulator::Simulator;

use crate::rig::Rig;
use crate::until::until;
use crate::walk::{chat, config, run, serve};

const OPERATORS: &str = "sk-of-the-operator-0123456789";

fn priced(simulator: &Simulator) -> String {
    config(simulator)
        + "[[platforms.qwen.models]]\nname = \"qwen-plus\"\nprice = { in = \"0.8\", out = 2 }\n\
           [points]\nkeys = [{ platform = \"qwen\", file = \"operator.key\" }]\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn points_that_the_operator_gives_pay_for_calls() {
    let simulator = Simulator::start().await.unwrap();
    let rig = Rig::new(&priced(&simulator));
    let key = rig.write("operator.key", OPERATORS);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    for words in [&["serve"][..], &["check-config"]] {
        let done = run!(rig, *words);
        assert_eq!(done.code, 78, "{done:?}");
        assert!(done.all().contains("everybody may read the operator's key"), "{done:?}");
    }
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    run!(rig, ["check-config"]).ok();

    run!(rig, ["user", "add", "me"]).ok();
    run!(rig, ["user", "add", "you"]).ok();
    let add = ["account", "add", "--user", "me", "--platform", "qwen", "--name", "first"];
    run!(rig, [&add[..], &["--key-file", "-", "--limit", "1"]].concat(), "sk-mine-0123456789").ok();
    let token = run!(rig, ["token", "create", "--user", "me"]).ok().out.trim().to_owned();
    let (gateway, base_url) = serve(&rig);
    // The lone request takes all of the quota; with it gone and no points, nobody answers.
    assert_eq!(chat(&base_url, &token).await.0, 200);
    let mut refused = (0, json!({}));
    for _ in 0..100 {
        refused = chat(&base_url, &token).await;
        if refused.1["error"]["code"] == "insufficient_quota" {
            break;
        }
    }
    assert_eq!(refused.0, 429, "{refused:?}");
    assert!(refused.1["error"]["message"].as_str().unwrap().ends_with("points are used up too."));

    // Beside the gateway, which holds the file.
    let grant = ["points", "grant", "--user", "me", "2.5", "--note", "welcome", "--json"];
    let granted = run!(rig, grant).json();
    assert_eq!(granted, json!({"user": "me", "granted": "2.5", "balance": "2.5"}));
    let (status, answer) = chat(&base_url, &token).await;
    assert_eq!(status, 200, "{answer}");
    let tokens = |field: &str| answer["usage"][field].as_i64().unwrap();
    let cost = (tokens("prompt_tokens") * 8 + tokens("completion_tokens") * 20 + 9) / 10;
    let read = async || run!(rig, ["points", "ledger", "--user", "me", "--json"]).json();
    let ledger = until(read, |rows| rows.as_array().unwrap().len() == 2).await;
    let spent = format!("-0.{cost:06}");
    let spent = spent.trim_end_matches('0');
    let left = format!("2.{:06}", 500_000 - cost);
    let left = left.trim_end_matches('0');
    assert_eq!((&ledger[0]["points"], &ledger[0]["kind"]), (&json!(spent), &json!("exact")));
    assert_eq!(
        (&ledger[0]["balance"], &ledger[0]["note"]),
        (&json!(left), &json!("qwen/qwen-plus"))
    );
    assert_eq!((&ledger[1]["kind"], &ledger[1]["note"]), (&json!("grant"), &json!("welcome")));
    let table = run!(rig, ["points", "ledger", "--user", "me", "--limit", "1"]).ok().out;
    assert!(table.lines().count() == 2 && table.contains(spent), "{table}");
    let balances = run!(rig, ["points", "balance", "--json"]).json();
    let of = |name: &str, balance: &str| json!({"user": name, "balance": balance, "held": "0"});
    assert_eq!(balances, json!([of("me", left), of("you", "0")]));
    let usage = run!(rig, ["usage", "--json"]).json();
    assert_eq!(
        (&usage[0]["billing"], &usage[0]["points"]),
        (&json!("points"), &json!(&spent[1..]))
    );
    let shown = run!(rig, ["usage", "--limit", "1"]).ok().out;
    assert!(shown.contains(&spent[1..]), "{shown}");

    let too_many = run!(rig, ["points", "grant", "--user", "me", "-100"]);
    assert_eq!(too_many.code, 1, "{too_many:?}");
    assert!(too_many.err.contains("has not so many points"), "{too_many:?}");
    let back = run!(rig, ["points", "grant", "--user", "me", "-1"]).ok().out;
    assert!(back.starts_with("me has 1."), "{back}");
    assert_eq!(run!(rig, ["points", "grant", "--user", "me", "1e3"]).code, 64);
    assert_eq!(run!(rig, ["points", "balance", "--user", "nobody"]).code, 1);

    let done = tokio::task::block_in_place(|| gateway.terminate());
    assert_eq!(done.code, 0, "{done:?}");
    assert!(!done.all().contains(OPERATORS), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tokens_limits_are_set_when_it_is_made() {
    let simulator = Simulator::start().await.unwrap();
    let rig = Rig::new(&priced(&simulator));
    let key = rig.write("operator.key", OPERATORS);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    run!(rig, ["user", "add", "me"]).ok();
    run!(rig, ["points", "grant", "--user", "me", "5"]).ok();
    let create = |more: &[&str]| {
        let words = ["token", "create", "--user", "me", "--json"];
        run!(rig, [&words[..], more].concat())
    };
    let facts = create(&["--points", "never", "--rpm", "1", "--tokens-per-day", "1000"]).json();
    assert_eq!(
        (&facts["points"], &facts["requests_per_minute"], &facts["tokens_per_day"]),
        (&json!("never"), &json!(1), &json!(1000))
    );
    let plain = create(&[]).json();
    assert_eq!(
        (&plain["points"], &plain["requests_per_minute"], &plain["tokens_per_day"]),
        (&json!("fallback"), &Value::Null, &Value::Null)
    );
    for wrong in [["--rpm", "0"], ["--tokens-per-day", "0"], ["--points", "maybe"]] {
        assert_eq!(create(&wrong).code, 64, "{wrong:?}");
    }
    let listed = run!(rig, ["token", "list"]).ok().out;
    assert!(listed.contains("1/min 1000/day no points"), "{listed}");

    let add = ["account", "add", "--user", "me", "--platform", "qwen", "--name", "first"];
    run!(rig, [&add[..], &["--key-file", "-"]].concat(), "sk-mine-0123456789").ok();
    let (gateway, base_url) = serve(&rig);
    let token = facts["token"].as_str().unwrap();
    assert_eq!(chat(&base_url, token).await.0, 200);
    let (status, refused) = chat(&base_url, token).await;
    assert_eq!((status, &refused["error"]["code"]), (429, &json!("rate_limit_exceeded")));
    assert_eq!(tokio::task::block_in_place(|| gateway.terminate()).code, 0);
}
