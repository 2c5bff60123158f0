//! `doctor`: a tick list, and an exit code that says whether anything is wrong.

use serde_json::Value;

use crate::rig::Rig;

const ANYWHERE: &str = "[server]\nlisten = \"127.0.0.1:0\"\n[operator]\nlisten = \"127.0.0.1:0\"\n";

/// A store with an account, `first`.
fn bound() -> Rig {
    let rig = Rig::new(ANYWHERE);
    rig.run(&["user", "add", "me"]).ok();
    let words = ["account", "add", "--user", "me", "--platform", "openai", "--name", "first"];
    rig.run_with(&[&words[..], &["--key-file", "-"]].concat(), "sk-0123456789abcdef").ok();
    rig
}

#[test]
fn a_gateway_that_is_well_has_a_tick_at_everything() {
    let rig = bound();
    let told = rig.run(&["doctor"]).ok();
    let lines: Vec<&str> = told.out.lines().collect();
    let begins = ["configuration: ", "key ring: ", "store: sqlite, answers", "clock: ", "keys: "];
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(&format!("✔ {begin}")), "{told:?}");
    }
    assert_eq!(lines[5], "✔ account 1 `first` on openai: active");

    // Beside a gateway the same, through it.
    let mut gateway = rig.start(&["--json", "serve"]);
    gateway.first_line();
    let told = rig.run(&["doctor"]).ok();
    assert!(
        told.out.contains("✔ store: sqlite, held by a gateway that listens on 127."),
        "{told:?}"
    );
    gateway.terminate();
}

#[test]
fn what_is_wrong_is_told_with_what_to_do_and_fails() {
    let mut rig = bound();
    rig.run(&["account", "disable", "first"]).ok();
    let told = rig.run(&["--json", "doctor"]).json();
    let last = told["checks"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["mark"], &last["saw"]), (&"warning".into(), &"disabled: by hand".into()));
    assert!(last["fix"].as_str().unwrap().contains("account enable"), "{last}");

    let keys = rig.run(&["keys", "generate"]).ok().out;
    rig.set("TRIBUTARY_MASTER_KEYS", keys.trim());
    let told = rig.run(&["doctor"]);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.out.contains("✖ keys: no key of the ring belongs to this store"), "{told:?}");

    rig.unset("TRIBUTARY_MASTER_KEYS");
    let told = rig.run(&["doctor"]);
    assert!(told.code == 1 && told.out.contains("✖ key ring: no key ring is set"), "{told:?}");

    rig.write("gateway.toml", "[server]\nlisten = 5\nlisen = \"127.0.0.1:0\"\n");
    let told = rig.run(&["--json", "doctor"]);
    assert_eq!(told.code, 1, "{told:?}");
    let told: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(
        (&told["checks"][0]["mark"], &told["checks"][0]["what"]),
        (&"wrong".into(), &"configuration".into())
    );
}

#[test]
fn an_account_that_needs_somebody_fails() {
    let rig = bound();
    let file = rusqlite::Connection::open(rig.path().join("tributary.db")).unwrap();
    let health = r#"{"status":"expired","reason":"the platform refused it"}"#;
    assert_eq!(file.execute("UPDATE health SET health = ?", [health]).unwrap(), 1);
    drop(file);
    let told = rig.run(&["doctor"]);
    assert_eq!(told.code, 1, "{told:?}");
    let expected = "✖ account 1 `first` on openai: expired: the platform refused it\n    it needs";
    assert!(told.out.contains(expected), "{told:?}");
}
