//! `keys status` and `keys rotate`, alone and beside a gateway.

use serde_json::Value;

use crate::rig::{Done, Rig};

const OLD: &str = "old:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "new:__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA";

const ANYWHERE: &str = "[server]\nlisten = \"127.0.0.1:0\"\n[operator]\nlisten = \"127.0.0.1:0\"\n";

/// A store with an account and a token, made under the old key.
fn made() -> Rig {
    let mut rig = Rig::without_keys(ANYWHERE);
    rig.set("TRIBUTARY_MASTER_KEYS", OLD);
    rig.run(&["user", "add", "me"]).ok();
    let words = ["account", "add", "--user", "me", "--platform", "openai", "--name", "n"];
    rig.run_with(&[&words[..], &["--key-file", "-"]].concat(), "sk-0123456789abcdef").ok();
    rig.run(&["token", "create", "--user", "me"]).ok();
    rig.set("TRIBUTARY_MASTER_KEYS", &format!("{NEW},{OLD}"));
    rig
}

fn key<'a>(told: &'a Value, name: &str) -> &'a Value {
    let mut keys = told["keys"].as_array().unwrap().iter();
    keys.find(|key| key["key"] == name).unwrap_or_else(|| panic!("{told}"))
}

fn last_line(done: &Done) -> &str {
    done.out.trim_end().lines().last().unwrap()
}

#[test]
fn a_rotation_moves_what_the_old_key_sealed_and_says_when_it_may_leave() {
    let mut rig = made();
    let told = rig.run(&["--json", "keys", "status"]).json();
    assert_eq!(
        *key(&told, "old"),
        serde_json::json!({
            "key": "old", "ring": "behind", "accounts": 1, "owners": 1, "short_keys": 0, "tokens": 1, "users": 0, "memberships": 0,
            "records": 0, "canary": true, "seals": 1, "may_leave": false,
        })
    );
    assert_eq!(
        (&key(&told, "new")["ring"], &key(&told, "new")["canary"]),
        (&"primary".into(), &false.into())
    );
    let told = rig.run(&["keys", "status"]).ok();
    assert_eq!(last_line(&told), "old: must stay in the ring; run: tributary keys rotate");

    let moved = rig.run(&["--json", "keys", "rotate"]).json();
    assert_eq!(moved["moved"]["accounts"], 1, "{moved}");
    assert_eq!(
        (&key(&moved, "new")["accounts"], &key(&moved, "new")["seals"]),
        (&1.into(), &1.into())
    );
    let again = rig.run(&["keys", "rotate"]).ok();
    assert!(again.out.starts_with("moved to key new: 0 accounts"), "{again:?}");
    assert!(
        last_line(&again).starts_with("old: must stay in the ring until its tokens"),
        "{again:?}"
    );
    rig.run(&["token", "revoke", "1"]).ok();
    assert_eq!(last_line(&rig.run(&["keys", "status"]).ok()), "old: may leave the ring");

    // It leaves; its canary goes with the next rotation, and nothing warns any more.
    rig.set("TRIBUTARY_MASTER_KEYS", NEW);
    let warned = rig.run(&["token", "create", "--user", "me"]).ok();
    assert!(
        warned.err.starts_with("warning: this store's key old is not in the ring"),
        "{warned:?}"
    );
    let told = rig.run(&["keys", "status"]).ok();
    assert_eq!(last_line(&told), "old: left the ring, and nothing lies under it");
    let last = rig.run(&["--json", "keys", "rotate"]).json();
    assert_eq!(last["moved"]["forgotten"], serde_json::json!(["old"]));
    let quiet = rig.run(&["token", "create", "--user", "me"]).ok();
    assert!(!quiet.err.contains("warning"), "{quiet:?}");
    let told = rig.run(&["--json", "keys", "status"]).json();
    assert_eq!(told["keys"].as_array().unwrap().len(), 1, "{told}");
}

#[test]
fn a_key_that_left_too_early_is_missed_and_loses_nothing() {
    let mut rig = made();
    rig.run(&["token", "create", "--user", "me"]).ok(); // The new key's canary.
    rig.set("TRIBUTARY_MASTER_KEYS", NEW);
    let told = rig.run(&["keys", "status"]).ok();
    assert!(told.out.contains("old: is not in the ring; what lies under it is locked"), "{told:?}");
    let moved = rig.run(&["--json", "keys", "rotate"]).json();
    assert_eq!(
        (&moved["moved"]["accounts"], &key(&moved, "old")["accounts"]),
        (&0.into(), &1.into())
    );
    rig.set("TRIBUTARY_MASTER_KEYS", &format!("{NEW},{OLD}"));
    assert_eq!(rig.run(&["--json", "keys", "rotate"]).json()["moved"]["accounts"], 1);
    // Another key of its name is none.
    let other = NEW.replace("new:", "old:");
    rig.set("TRIBUTARY_MASTER_KEYS", &format!("{},{other}", OLD.replace("old:", "new:")));
    for words in [["keys", "status"], ["keys", "rotate"]] {
        assert_eq!(rig.run(&words).code, 78);
    }
}

#[test]
fn a_rotation_beside_a_gateway_needs_its_new_key_there() {
    let mut rig = made();
    let ring = |ring: &str| vec![("TRIBUTARY_MASTER_KEYS", ring.to_owned())];
    let mut gateway = rig.start_in(&["--json", "serve"], ring(OLD));
    gateway.first_line();
    // What the gateway could not open is not made.
    let refused = rig.run(&["keys", "rotate"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("is not proved"), "{refused:?}");
    gateway.terminate();

    let mut gateway = rig.start_in(&["--json", "serve"], ring(&format!("{NEW},{OLD}")));
    gateway.first_line();
    let moved = rig.run(&["--json", "keys", "rotate"]).json();
    assert_eq!(moved["moved"]["accounts"], 1, "{moved}");
    assert_eq!(key(&rig.run(&["--json", "keys", "status"]).json(), "old")["accounts"], 0);
    gateway.terminate();
    rig.set("TRIBUTARY_MASTER_KEYS", NEW);
    assert_eq!(key(&rig.run(&["--json", "keys", "status"]).json(), "new")["accounts"], 1);
}

#[test]
fn users_rights_outlive_the_key_that_proved_them() {
    let mut rig = Rig::without_keys(ANYWHERE);
    rig.set("TRIBUTARY_MASTER_KEYS", OLD);
    rig.run(&["user", "add", "boss", "--role", "operator"]).ok();
    rig.run(&["user", "add", "other", "--role", "operator"]).ok();

    rig.set("TRIBUTARY_MASTER_KEYS", &format!("{NEW},{OLD}"));
    let told = rig.run(&["--json", "keys", "status"]).json();
    let old = key(&told, "old");
    assert_eq!((&old["users"], &old["may_leave"]), (&2.into(), &false.into()));
    let moved = rig.run(&["--json", "keys", "rotate"]).json();
    assert_eq!((&moved["users"], &key(&moved, "new")["users"]), (&2.into(), &2.into()));
    assert_eq!(key(&moved, "old")["may_leave"], true);

    rig.set("TRIBUTARY_MASTER_KEYS", NEW);
    // Of what is not believed a change leaves a member.
    rig.run(&["user", "enable", "boss"]).ok();
    let users = rig.run(&["--json", "user", "list"]).json();
    assert_eq!(users[0]["role"], "operator", "{users}");
}
