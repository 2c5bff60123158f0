//! What commands refuse: with what exit code, and in what words.

use crate::rig::Rig;

const SECRET: &str = "sk-very-secret-0123456789abcdef";
const OTHER_RING: &str = "other:__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA";

#[test]
fn a_mistyped_command_exits_64() {
    let rig = Rig::without_keys("");
    for words in [&[][..], &["bogus"], &["user", "add"], &["token", "revoke", "x"]] {
        assert_eq!(rig.run(words).code, 64, "{words:?}");
    }
    assert_eq!(rig.run(&["--help"]).code, 0);
    assert_eq!(rig.run(&["--version"]).code, 0);
}

#[test]
fn a_mistaken_configuration_exits_78_and_every_mistake_is_told() {
    let rig = Rig::new("[server]\nlisen = 1\n[log]\nformat = \"xml\"\n");
    let done = rig.run(&["check-config"]);
    assert_eq!(done.code, 78);
    assert_eq!(done.out.lines().count(), 2, "{done:?}");
    assert!(done.out.starts_with("gateway.toml:2: server.lisen: "), "{done:?}");
    let told: serde_json::Value =
        serde_json::from_str(&rig.run(&["check-config", "--json"]).out).unwrap();
    assert_eq!(told["mistakes"][1]["line"], 4);
    let done = rig.run(&["user", "list"]);
    assert_eq!(done.code, 78);
    assert!(done.err.contains("gateway.toml:4: log.format: "), "{done:?}");
}

#[test]
fn a_good_configuration_exits_0_and_its_schema_is_printed() {
    let rig = Rig::new("");
    assert_eq!(rig.run(&["check-config"]).ok().out, "gateway.toml: no mistakes\n");
    let schema = rig.run(&["check-config", "--schema"]).json();
    assert!(schema["properties"]["server"].is_object());
}

#[test]
fn the_configuration_is_read_from_where_it_is_named() {
    let rig = Rig::new("");
    rig.write("other.toml", "[server]\nlisen = 1\n");
    let done = rig.run(&["check-config", "--config", "other.toml"]);
    assert_eq!((done.code, done.out.starts_with("other.toml:2: ")), (78, true), "{done:?}");
    assert_eq!(rig.run(&["--config", "none.toml", "user", "list"]).code, 78);
}

#[test]
fn no_key_ring_says_which_command_makes_one() {
    let rig = Rig::without_keys("");
    for words in [&["serve"][..], &["token", "create", "--user", "u"]] {
        let done = rig.run(words);
        assert_eq!(done.code, 78, "{words:?}");
        assert!(done.err.contains("tributary keys generate"), "{done:?}");
    }
    rig.run(&["user", "list"]).ok();
}

#[test]
fn a_store_of_another_ring_is_left_as_it_is() {
    let mut rig = Rig::new("");
    rig.run(&["user", "add", "me"]).ok();
    let token = ["token", "create", "--user", "me"];
    rig.run(&token).ok();
    let before = rig.run(&["token", "list", "--json"]).json();
    rig.set("TRIBUTARY_MASTER_KEYS", OTHER_RING);
    for words in [&token[..], &["serve"]] {
        let done = rig.run(words);
        assert_eq!(done.code, 78, "{done:?}");
        assert!(done.err.contains("no key of the ring belongs to this store"), "{done:?}");
    }
    assert_eq!(rig.run(&["token", "list", "--json"]).json(), before);
}

#[test]
fn another_key_of_the_same_name_is_noticed() {
    let mut rig = Rig::without_keys("");
    rig.set("TRIBUTARY_MASTER_KEYS", "k:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    rig.run(&["user", "add", "me"]).ok();
    rig.run(&["token", "create", "--user", "me"]).ok();
    rig.set("TRIBUTARY_MASTER_KEYS", &OTHER_RING.replace("other:", "k:"));
    let done = rig.run(&["serve"]);
    assert_eq!(done.code, 78);
    assert!(done.err.contains("is not the `k` that this store was made with"), "{done:?}");
}

#[test]
fn a_rotated_ring_still_opens_the_store() {
    let mut rig = Rig::without_keys("");
    let old = "k:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    rig.set("TRIBUTARY_MASTER_KEYS", old);
    rig.run(&["user", "add", "me"]).ok();
    rig.run(&["token", "create", "--user", "me"]).ok();
    rig.set("TRIBUTARY_MASTER_KEYS", &format!("{OTHER_RING}\n{old}"));
    rig.run(&["token", "create", "--user", "me"]).ok();
}

#[test]
fn names_that_are_not_known_are_told_with_what_is() {
    let rig = Rig::new("");
    rig.run(&["user", "add", "me"]).ok();
    let key = rig.write("key", SECRET);
    let key = key.to_str().unwrap();
    let add = |more: &[&str]| {
        let words = ["account", "add", "--user", "me", "--name", "n", "--key-file", key];
        rig.run(&[&words, more].concat())
    };
    for (done, code, word) in [
        (rig.run(&["user", "add", "me"]), 1, "there is already a user `me`"),
        (rig.run(&["token", "create", "--user", "you"]), 1, "there is no user `you`"),
        (rig.run(&["token", "revoke", "7"]), 1, "there is no token 7"),
        (rig.run(&["account", "check", "n"]), 1, "there is no account `n`"),
        (add(&["--platform", "qwem"]), 64, "there is no platform `qwem`"),
        (add(&["--platform", "qwen", "--dialect", "klingon"]), 64, "is not reached in `klingon`"),
    ] {
        assert_eq!(done.code, code, "{done:?}");
        assert!(done.err.contains(word), "{word} in {done:?}");
        assert!(!done.all().contains(SECRET), "{done:?}");
    }
}

#[test]
fn no_refusal_repeats_a_credential() {
    let rig = Rig::new("");
    rig.run(&["user", "add", "me"]).ok();
    let add = ["account", "add", "--user", "me", "--platform", "openai", "--name", "n"];
    let with_file = |name: &str, text: &str| {
        let file = rig.write(name, text);
        rig.run(&[&add[..], &["--key-file", file.to_str().unwrap()]].concat())
    };
    for done in [
        rig.run(&[&add[..], &[SECRET]].concat()),
        rig.run(&[&add[..], &[&format!("--key={SECRET}")]].concat()),
        rig.run(&[&add[..], &["--key-file", &format!("none/{SECRET}")]].concat()),
        with_file("two-lines", &format!("{SECRET}\n{SECRET}")),
        with_file("no-json", &format!("{{\"key\": \"{SECRET}\"")),
        with_file("strange", &format!("{{\"key\": \"{SECRET}\", \"extra\": \"{SECRET}\"}}")),
    ] {
        assert_ne!(done.code, 0);
        // A path is told, and the person gave it; a key is not.
        let told = done.all().replace(&format!("none/{SECRET}"), "");
        assert!(!told.contains(SECRET), "{told}");
    }
    let taken = ["with-key", "again"].map(|name| with_file(name, SECRET));
    assert_eq!(taken.each_ref().map(|done| done.code), [0, 1]);
    assert!(taken[1].err.contains("there is already an account `n`"), "{taken:?}");
    assert!(!taken.iter().any(|done| done.all().contains(SECRET)));
}
