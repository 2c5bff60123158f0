//! The audit log as an operator reads it.

use serde_json::{Value, json};
use tributary::simulator::Simulator;

use crate::rig::Rig;
use crate::walk::{config, run, serve};

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_written_down_and_a_changed_log_is_found_out() {
    let simulator = Simulator::start().await.unwrap();
    let rig = Rig::new(&config(&simulator));
    let key = "sk-audited-0123456789abcdef";
    run!(rig, ["user", "add", "me"]).ok();
    let add = ["account", "add", "--user", "me", "--platform", "qwen", "--name", "first"];
    run!(rig, [&add[..], &["--key-file", "-"]].concat(), key).ok();
    run!(rig, ["token", "create", "--user", "me", "--name", "laptop"]).ok();
    run!(rig, ["points", "grant", "--user", "me", "2.5", "--note", "welcome"]).ok();
    // Beside a gateway the log is the same.
    let (gateway, _) = serve(&rig);
    run!(rig, ["account", "disable", "first"]).ok();
    run!(rig, ["account", "edit", "first", "--name", "second", "--priority", "3"]).ok();
    run!(rig, ["pool", "policy", "me", "sticky"]).ok();
    run!(rig, ["token", "revoke", "1"]).ok();
    run!(rig, ["account", "check", "second"]);
    run!(rig, ["account", "remove", "second"]).ok();
    let rows = run!(rig, ["audit", "--json"]).ok().json();
    let rows = rows.as_array().unwrap();
    let actions: Vec<_> = rows.iter().rev().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(
        actions,
        [
            "user.add",
            "account.bind",
            "token.create",
            "points.grant",
            "account.disable",
            "account.change",
            "pool.policy",
            "token.revoke",
            "account.check",
            "account.delete",
        ]
    );
    assert!(rows.iter().all(|row| row["who"] == "operator" && row["by"] == "cli"), "{rows:?}");
    assert!(rows.iter().all(|row| row["user_id"] == rows[0]["user_id"]), "{rows:?}");
    assert_eq!(rows[2]["details"], json!({"name": "laptop"}));
    assert!(!Value::from(rows.clone()).to_string().contains(key), "a credential is in the log");
    let own = run!(rig, ["audit", "--user", "me", "--limit", "3"]).ok().out;
    assert_eq!(own.lines().count(), 4, "{own}");
    let whole = run!(rig, ["audit", "--verify"]).ok().out;
    assert!(whole.starts_with("the log is whole: 10 rows, from 1 ("), "{whole}");
    assert_eq!(gateway.terminate().code, 0);

    let file = rusqlite::Connection::open(rig.path().join("tributary.db")).unwrap();
    let edit = "UPDATE audit SET row = replace(row, '2.5', '9.5') WHERE seq = 4";
    assert_eq!(file.execute(edit, []).unwrap(), 1);
    drop(file);
    let found = run!(rig, ["audit", "--verify"]);
    assert_eq!(found.code, 1, "{found:?}");
    assert!(found.out.starts_with("row 4 is not as it was written\n"), "{found:?}");
    let told = run!(rig, ["audit", "--verify", "--json"]).out;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["whole"], &told["rows"]), (&json!(false), &json!(10)));
}
