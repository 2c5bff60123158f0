//! The key ring that a program prints.

use std::os::unix::fs::PermissionsExt;

use crate::rig::Rig;

/// A program in the rig's folder, and the variable that names it.
fn program(rig: &mut Rig, script: &str) {
    let file = rig.write("kms client", &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
    rig.set("TRIBUTARY_MASTER_KEYS", "command:'./kms client' decrypt $HOME");
}

#[test]
fn a_ring_that_a_program_prints_seals_and_opens() {
    let mut rig = Rig::without_keys("");
    let ring = rig.run(&["keys", "generate"]).ok().out;
    rig.write("ring", &ring);
    program(&mut rig, r#"[ "$1$2" = 'decrypt$HOME' ] && echo "not of interest" >&2 && cat ring"#);
    rig.run(&["user", "add", "me"]).ok();
    let words = ["account", "add", "--user", "me", "--platform", "openai", "--name", "n"];
    let added = rig.run_with(&[&words[..], &["--key-file", "-"]].concat(), "sk-0123456789").ok();
    assert_eq!(added.err, "");
    // It is the same ring that was printed.
    rig.set("TRIBUTARY_MASTER_KEYS", ring.trim());
    let created = rig.run(&["token", "create", "--user", "me"]).ok();
    assert!(!created.err.contains("warning"), "{created:?}");
    rig.run(&["check-config"]).ok();
}

#[test]
fn a_program_that_fails_is_named_and_its_output_is_not_told() {
    let mut rig = Rig::without_keys("");
    let ring = rig.run(&["keys", "generate"]).ok().out;
    let key = ring.trim().split_once(':').unwrap().1;
    for (script, word) in [
        (
            format!("echo '{ring}'; echo \"no access: {key}\" >&2; exit 4"),
            "failed (exit status: 4) and said: no access: ",
        ),
        (format!("echo '{key}'"), "printed no good key ring: entry 1"),
        ("exec sleep 0".into(), "printed no good key ring: the key ring is empty"),
    ] {
        program(&mut rig, &script);
        for words in [&["serve"][..], &["check-config"], &["token", "create", "--user", "me"]] {
            let done = rig.run(words);
            assert_eq!(done.code, 78, "{done:?}");
            assert!(done.all().contains(&format!("`./kms client` {word}")), "{done:?}");
            assert!(!done.all().contains(&key[4..20]), "{done:?}");
        }
    }
    rig.set("TRIBUTARY_MASTER_KEYS", "command:/no/such/client");
    let done = rig.run(&["serve"]);
    assert_eq!(done.code, 78, "{done:?}");
    assert!(done.err.contains("`/no/such/client` can't be started"), "{done:?}");
}

#[test]
fn a_key_that_sealed_too_often_warns_then_seals_no_more() {
    const RING: &str = "k:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let mut rig = Rig::without_keys("");
    rig.set("TRIBUTARY_MASTER_KEYS", RING);
    rig.run(&["user", "add", "me"]).ok();
    let add = |rig: &Rig, name: &str| {
        let words = ["account", "add", "--user", "me", "--platform", "openai", "--name", name];
        rig.run_with(&[&words[..], &["--key-file", "-"]].concat(), "sk-0123456789abcdef")
    };
    let seals = |rig: &Rig, seals: i64| {
        let file = rusqlite::Connection::open(rig.path().join("tributary.db")).unwrap();
        let set = "UPDATE counters SET value = ? WHERE name = 'seals:k'";
        assert_eq!(file.execute(set, [seals]).unwrap(), 1);
    };
    assert_eq!(add(&rig, "first").ok().err, "");
    seals(&rig, (1 << 28) - 1);
    let warned = add(&rig, "second").ok().err;
    assert!(warned.starts_with("warning: key `k` has sealed 268435456 times"), "{warned}");
    seals(&rig, (1 << 31) - 1);
    let refused = add(&rig, "third");
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(refused.err.contains("key `k` has sealed as often as it safely may"), "{refused:?}");
    assert_eq!(rig.run(&["account", "list", "--json"]).json().as_array().unwrap().len(), 2);
    rig.set(
        "TRIBUTARY_MASTER_KEYS",
        &format!("new:__79_Pv6-fj39vX08_Lx8O_u7ezr6uno5-bl5OPi4eA\n{RING}"),
    );
    assert_eq!(add(&rig, "third").ok().err, "");
}
