use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::*;

struct Written {
    _folder: tempfile::TempDir,
    file: PathBuf,
}

fn write(text: &str) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    fs::write(&file, text).unwrap();
    Written { _folder: folder, file }
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::of(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())))
}

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
    let written = write(text);
    let folder = format!("{}/", written.file.parent().unwrap().display());
    Config::load(Some(&written.file), &environment(variables))
        .map(|config| config.settings)
        .map_err(|mistakes| mistakes.to_string().replace(&folder, ""))
}

/// What is told of a text, a line a mistake.
#[track_caller]
fn told(text: &str, variables: &[(&str, &str)]) -> String {
    load(text, variables).unwrap_err()
}

#[test]
fn nothing_set_is_every_default() {
    let config = Config::load(None, &Environment::default()).unwrap();
    assert!(config.settings == Settings::default());
    assert!(load("", &[]).is_ok());
}

#[test]
fn every_mistake_is_told_with_its_line_and_what_to_do() {
    let text = r#"
listen = "127.0.0.1:1"
[server]
lisen = "127.0.0.1:8080"
threads = "many"
body_timeout = "-5s"

[relais]
[store]
url = 5
[log]
format = "xml"
filter = "tributary=loud,,="
"#;
    let expected = "\
gateway.toml:2: listen: there is no such setting; it belongs under `[server]`
gateway.toml:4: server.lisen: there is no such setting; did you mean `listen`?
gateway.toml:5: server.threads: invalid type: string \"many\", expected usize; the default is `threads = 0`
gateway.toml:6: server.body_timeout: is negative; the default is `body_timeout = \"15s\"`
gateway.toml:8: relais: there is no such section; did you mean `relay`?
gateway.toml:10: store.url: invalid type: integer `5`, expected a string; the default is `url = \"sqlite:tributary.db\"`
gateway.toml:12: log.format: unknown variant `xml`, expected `text` or `json`; the default is `format = \"text\"`";
    let told = told(text, &[]);
    let (first, last) = told.rsplit_once('\n').unwrap();
    assert_eq!(first, expected);
    assert!(last.starts_with("gateway.toml:13: log.filter: "), "{last}");
}

#[test]
fn text_that_is_no_toml_is_told_with_its_line() {
    let told = told("[server]\nlisten = \nthreads = 1\n", &[]);
    assert!(told.starts_with("gateway.toml:2: not TOML: "), "{told}");
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let missing = std::path::Path::new("no/such/file.toml");
    let mistakes = Config::load(Some(missing), &Environment::default()).unwrap_err();
    let told = mistakes.to_string();
    assert!(told.starts_with("no/such/file.toml: can't be read: "), "{told}");
    assert!(told.ends_with("name another with --config FILE"), "{told}");
}

#[test]
fn variables_override_the_file_whatever_the_keys_type_is() {
    let settings = load(
        "[server]\nthreads = 1\n",
        &[
            ("TRIBUTARY_SERVER__THREADS", "4"),
            ("TRIBUTARY_SERVER__LISTEN", "0.0.0.0:80"),
            ("TRIBUTARY_RELAY__LEASE_WAIT", "5s"),
            ("TRIBUTARY_UPSTREAM__ALLOW_PRIVATE", "[\"a\", \"b\"]"),
            ("TRIBUTARY_STORE__URL", "redis://:secret@127.0.0.1:1/0"),
            ("TRIBUTARY_LOG__FILTER", "debug"),
            ("TRIBUTARY_RELAY__KEEP_ALIVE", ""),
            ("RUST_LOG", "trace"),
        ],
    )
    .unwrap();
    assert_eq!(settings.server.threads, 4);
    assert_eq!(settings.server.listen.port(), 80);
    assert_eq!(settings.relay.lease_wait, jiff::SignedDuration::from_secs(5));
    assert_eq!(settings.upstream.allow_private, ["a", "b"]);
    assert_eq!(settings.store.url, "redis://:secret@127.0.0.1:1/0");
    assert_eq!(settings.log.filter, "debug");
    assert_eq!(settings.relay.keep_alive, Settings::default().relay.keep_alive);
}

#[test]
fn rust_log_is_the_filter_where_no_variable_of_ours_is() {
    let settings = load("[log]\nfilter = \"warn\"\n", &[("RUST_LOG", "trace")]).unwrap();
    assert_eq!(settings.log.filter, "trace");
}

#[test]
fn a_variables_mistake_names_the_variable() {
    let told = told(
        "",
        &[
            ("TRIBUTARY_MASTER_KEY", "x"),
            ("TRIBUTARY_SERVER__LISEN", "x"),
            ("TRIBUTARY_SERVER__THREADS", "many"),
            ("TRIBUTARY_SERVR__LISTEN", "x"),
            ("TRIBUTARY_STORE_URL", "x"),
            // Kubernetes sets these for a service named `tributary`.
            ("TRIBUTARY_PORT", "tcp://10.0.0.1:80"),
            ("TRIBUTARY_SERVICE_HOST", "10.0.0.1"),
        ],
    );
    assert_eq!(
        told,
        "\
TRIBUTARY_MASTER_KEY: sets nothing; did you mean TRIBUTARY_MASTER_KEYS?
TRIBUTARY_SERVER__LISEN: server.lisen: there is no such setting; did you mean `listen`?
TRIBUTARY_SERVER__THREADS: server.threads: invalid type: string \"many\", expected usize; the default is `threads = 0`
TRIBUTARY_SERVR__LISTEN: servr.listen: there is no such setting; did you mean `server`?
TRIBUTARY_STORE_URL: sets nothing; did you mean TRIBUTARY_STORE__URL?"
    );
}

#[test]
fn what_fits_but_cannot_be_meant_is_told() {
    let told = told(
        r#"
[server]
listen = "127.0.0.1:9000"
[operator]
listen = "127.0.0.1:9000"
[store]
url = "redis+sentinel://:hunter2hunter2@127.0.0.1:1,127.0.0.1:2/main"
ca_file = "no-such.pem"
[upstream]
ca_file = "no-such.pem"
[platforms.mine]
windows = [
  { period = "day", zone = "UTC" },
  { period = "day", zone = "Mars/Olympus" },
]
"#,
        &[],
    );
    for part in [
        "gateway.toml:5: operator.listen: is the address of [server] listen too; ",
        "gateway.toml:7: store.url: has a password, and files get copied; ",
        "gateway.toml:8: store.ca_file: ",
        "gateway.toml:10: upstream.ca_file: ",
        "gateway.toml:14: platforms.mine.windows.1.zone: is no time zone; ",
    ] {
        assert!(told.contains(part), "{part}\nin\n{told}");
    }
    assert!(!told.contains("hunter2"));
}

#[test]
fn what_would_stop_the_gateway_is_told() {
    let told = told(
        r#"
[server]
max_body_bytes = 10
body_timeout = "0s"
drain_notice = "0s"
[store]
lease_deadline = "10ms"
[upstream]
connect_timeout = "0s"
gap_timeout = "9000h"
[relay]
max_attempts = 0
token_cache = "1m"
keep_alive = "0s"
queue = 0
"#,
        &[("TRIBUTARY_RELAY__LEASE_WAIT", "0s")],
    );
    let expected = "\
gateway.toml:3: server.max_body_bytes: is too small; write 1024 or more
gateway.toml:4: server.body_timeout: is too small; write \"1ms\" or more
gateway.toml:7: store.lease_deadline: is too small; write \"1s\" or more
gateway.toml:9: upstream.connect_timeout: is too small; write \"1ms\" or more
gateway.toml:10: upstream.gap_timeout: is too long; write \"24h\" or less
gateway.toml:12: relay.max_attempts: is too small; write 1 or more
gateway.toml:13: relay.token_cache: is too long; write \"5s\" or less
gateway.toml:14: relay.keep_alive: is too small; write \"1ms\" or more
gateway.toml:15: relay.queue: is too small; write 1 or more
TRIBUTARY_RELAY__LEASE_WAIT: relay.lease_wait: is too small; write \"1ms\" or more";
    assert_eq!(told, expected);
}

#[test]
fn paths_are_relative_to_what_names_them() {
    let written = write("[store]\nurl = \"sqlite:data/t.db\"\n");
    let folder = written.file.parent().unwrap();
    fs::create_dir(folder.join("data")).unwrap();
    let config = Config::load(Some(&written.file), &Environment::default()).unwrap();
    assert_eq!(config.settings.store.url, format!("sqlite:{}/data/t.db", folder.display()));
    let variables = environment(&[("TRIBUTARY_STORE__URL", "sqlite:t.db")]);
    let config = Config::load(Some(&written.file), &variables).unwrap();
    assert_eq!(config.settings.store.url, "sqlite:t.db");
}

#[test]
fn printing_settings_shows_no_url() {
    let variables = [("TRIBUTARY_STORE__URL", "redis://:hunter2@127.0.0.1/0")];
    let settings = load("", &variables).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
}

/// The operator's keys that a text leads to, by platform, or what is told.
fn keys(text: &str, variables: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let written = write(text);
    let key = written.file.with_file_name("own.key");
    fs::write(&key, "sk-of-the-operator-01\n").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let open = written.file.with_file_name("open.key");
    fs::write(&open, "sk-of-the-operator-02\n").unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    let folder = format!("{}/", written.file.parent().unwrap().display());
    let environment = environment(variables);
    Config::load(Some(&written.file), &environment)
        .and_then(|config| operator_keys(&config, &environment))
        .map(|keys| {
            let told = |key: crate::relay::OperatorKey| {
                format!("{} {}", key.platform, key.credential.secrets()[0])
            };
            keys.into_iter().map(told).collect()
        })
        .map_err(|mistakes| mistakes.to_string().replace(&folder, ""))
}

#[test]
fn the_operators_keys_come_from_files_and_variables() {
    let text = r#"
[[points.keys]]
platform = "qwen"
file = "own.key"
[[points.keys]]
platform = "openai"
variable = "OPENAI_API_KEY"
"#;
    let found = keys(text, &[("OPENAI_API_KEY", "sk-of-the-operator-03")]).unwrap();
    assert_eq!(found, ["qwen sk-of-the-operator-01", "openai sk-of-the-operator-03"]);
    let told = keys(text, &[]).unwrap_err();
    assert_eq!(told, "OPENAI_API_KEY: is not set; set it to the operator's key");
    let told = keys(&text.replace("own.key", "open.key"), &[("OPENAI_API_KEY", "a\nb")]);
    let told = told.unwrap_err();
    assert!(told.contains("open.key: everybody may read the operator's key; "), "{told}");
    assert!(told.contains("OPENAI_API_KEY: holds no key of openai"), "{told}");
    assert!(!told.contains("sk-of-the"), "{told}");
    // Nor is the key ring sent to a platform.
    let ring = text.replace("OPENAI_API_KEY", "TRIBUTARY_MASTER_KEYS");
    let told = keys(&ring, &[("TRIBUTARY_MASTER_KEYS", RING)]).unwrap_err();
    assert_eq!(told, "TRIBUTARY_MASTER_KEYS: is not set; set it to the operator's key");
}

#[test]
fn a_key_in_the_file_is_refused_and_not_repeated() {
    let text = r#"
[points]
keys = [
  { platform = "qwen", key = "sk-pasted-by-mistake" },
]
[platforms.qwen]
models = [{ name = "qwen-plus", price = { in = 0.8, out = 2 } }]
"#;
    let told = told(text, &[]);
    assert!(told.starts_with("gateway.toml:3: points.keys: unknown field `key`"), "{told}");
    assert!(told.contains("an amount of points, as 12 or \"0.25\""), "{told}");
    for (entry, why) in [
        (r#"platform = "qwen", variable = "sk-pasted-by-mistake""#, "names no environment"),
        (r#"platform = "qwen""#, "names a file and a variable, or neither"),
        (r#"platform = "qwem", variable = "KEY""#, "there is no platform `qwem`"),
        (r#"platform = "qwen", dialect = "klingon", variable = "KEY""#, "with that dialect"),
    ] {
        let text = format!("[points]\nkeys = [\n  {{ {entry} }},\n]\n");
        let told = self::told(&text, &[]);
        assert!(told.starts_with("gateway.toml:3: points.keys.0: "), "{told}");
        assert!(told.contains(why) && !told.contains("pasted"), "{told}");
    }
}

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The channels that notices are sent on, or what is wrong.
fn senders(text: &str, variables: &[(&str, &str)]) -> Result<Vec<&'static str>, String> {
    let written = write(text);
    let environment = environment(variables);
    Config::load(Some(&written.file), &environment)
        .and_then(|config| notice_senders(&config, &environment))
        .map(|senders| senders.iter().map(|sender| sender.channel().name()).collect())
        .map_err(|mistakes| mistakes.to_string())
}

#[test]
fn notices_are_sent_with_secrets_from_the_environment() {
    let text = r#"
[notices.webhook]
url = "https://example.org/hook"
secret_env = "HOOK"
[notices.smtp]
host = "smtp.example.org"
from = "Gateway <gateway@example.org>"
to = ["ops@example.org"]
username = "gateway"
password_env = "MAIL"
"#;
    assert_eq!(senders("", &[]), Ok(vec![]));
    let found = senders(text, &[("HOOK", SECRET), ("MAIL", "hunter2hunter2")]);
    assert_eq!(found, Ok(vec!["webhook", "mail"]));
    let told = senders(text, &[]).unwrap_err();
    assert!(told.contains("HOOK: is not set; ") && told.contains("MAIL: is not set; "), "{told}");
    let told = senders(text, &[("HOOK", "whsec_c2hvcnQ="), ("MAIL", "m")]).unwrap_err();
    assert!(told.starts_with("HOOK: it has fewer than 24"), "{told}");
    assert!(!told.contains("c2hvcnQ"), "{told}");
}

#[test]
fn what_would_send_notices_astray_is_refused_by_its_line() {
    for (entry, why) in [
        (r#"webhook = { url = "http://example.org/s3cret", secret_env = "HOOK" }"#, "no URL that"),
        (r#"webhook = { url = "ftp://example.org/", secret_env = "HOOK" }"#, "no URL that"),
        (
            r#"webhook = { url = "https://example.org/", secret_env = "whsec_s3cret" }"#,
            "no environment",
        ),
        (r#"smtp = { host = "h", from = "a@b.c", to = [] }"#, "sends to nobody"),
        (r#"smtp = { host = "h", from = "a@b.c", to = ["a@b.c"], tls = "none" }"#, "unsealed"),
        (r#"smtp = { host = "h", from = "a@b.c", to = ["a@b.c"], username = "u" }"#, "half of a"),
        (
            r#"smtp = { host = "h", from = "a@b.c", to = ["a@b.c"], password = "s3cret" }"#,
            "unknown field",
        ),
    ] {
        let told = told(&format!("[notices]\n{entry}\n"), &[]);
        assert!(told.starts_with("gateway.toml:2: notices."), "{told}");
        assert!(told.contains(why) && !told.contains("s3cret"), "{told}");
    }
    for (url, more) in [
        ("http://127.0.0.1:9000/", ""),
        ("http://[::1]:9000/", ""),
        ("http://receiver:9000/", "[upstream]\nallow_private = [\"receiver\"]\n"),
    ] {
        let text =
            format!("{more}[notices]\nwebhook = {{ url = \"{url}\", secret_env = \"HOOK\" }}\n");
        assert_eq!(senders(&text, &[("HOOK", SECRET)]), Ok(vec!["webhook"]), "{url}");
    }
    let text = "[notices]\nsmtp = { host = \"127.0.0.1\", from = \"no address\", to = [\"a@b.c\"], tls = \"none\" }";
    assert!(senders(text, &[]).unwrap_err().contains("`no address` is no mail address"));
}

const RING: &str = "a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn ring(variables: &[(&str, &str)], own: OwnRing) -> Result<Option<String>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime
        .block_on(key_ring(&environment(variables), own))
        .map(|ring| ring.map(|ring| format!("{ring:?}")))
        .map_err(|mistakes| mistakes.to_string())
}

#[test]
fn the_ring_comes_from_a_variable_or_a_file_that_it_names() {
    let made = ring(&[("TRIBUTARY_MASTER_KEYS", RING)], OwnRing::Never);
    assert_eq!(made, Ok(Some("KeyRing([a])".into())));

    let written = write(RING);
    fs::set_permissions(&written.file, fs::Permissions::from_mode(0o600)).unwrap();
    let file = written.file.to_str().unwrap();
    let named = [("TRIBUTARY_MASTER_KEYS_FILE", file)];
    assert_eq!(ring(&named, OwnRing::Never), Ok(Some("KeyRing([a])".into())));

    let both = [("TRIBUTARY_MASTER_KEYS", RING), named[0]];
    assert!(ring(&both, OwnRing::Never).unwrap_err().contains("set one of them"));
    assert_eq!(ring(&[], OwnRing::Never), Ok(None));
}

#[test]
fn a_ring_that_others_may_read_is_refused() {
    let written = write(RING);
    let file = written.file.to_str().unwrap();
    for mode in [0o604, 0o644, 0o602] {
        fs::set_permissions(&written.file, fs::Permissions::from_mode(mode)).unwrap();
        let told = ring(&[("TRIBUTARY_MASTER_KEYS_FILE", file)], OwnRing::Never).unwrap_err();
        assert!(told.contains("everybody may read the key ring; run: chmod 600"), "{told}");
    }
}

#[test]
fn a_weak_ring_is_told_without_its_key() {
    let weak = "a:c2hvcnQgc2VjcmV0";
    let told = ring(&[("TRIBUTARY_MASTER_KEYS", weak)], OwnRing::Never).unwrap_err();
    assert!(told.starts_with("TRIBUTARY_MASTER_KEYS: key `a` of the key ring has 12 bytes"));
    assert!(!told.contains("c2hvcnQ"), "{told}");
}

#[test]
fn a_ring_that_a_program_prints_is_read_as_any() {
    let printed = |line: &str| ring(&[("TRIBUTARY_MASTER_KEYS", line)], OwnRing::Never);
    let made = printed(&format!("command:echo {RING}"));
    assert_eq!(made, Ok(Some("KeyRing([a])".into())));
    for (line, why) in [
        (
            "command:echo a:c2hvcnQgc2VjcmV0",
            "`echo` printed no good key ring: key `a` of the key ring has 12",
        ),
        ("command:true", "`true` printed no good key ring: the key ring is empty"),
        ("command:false", "`false` failed (exit status: 1)"),
        (RING.replace("a:", "command:").as_str(), "and as a key named `command`"),
    ] {
        let told = printed(line).unwrap_err();
        assert!(told.starts_with("TRIBUTARY_MASTER_KEYS: ") && told.contains(why), "{told}");
        assert!(!told.contains("c2hvcnQ") && !told.contains(&RING[4..12]), "{told}");
    }
}

#[test]
fn a_ring_of_our_own_is_made_once_and_for_its_owner_alone() {
    let home = tempfile::tempdir().unwrap();
    let home_text = home.path().to_str().unwrap();
    let variables = [("HOME", home_text)];
    assert_eq!(ring(&variables, OwnRing::IfThere), Ok(None));
    let made = ring(&variables, OwnRing::Make).unwrap();
    assert!(made.is_some());
    assert_eq!(ring(&variables, OwnRing::Make).unwrap(), made);
    assert_eq!(ring(&variables, OwnRing::IfThere).unwrap(), made);
    assert_eq!(ring(&variables, OwnRing::Never), Ok(None));
    let file = home.path().join(".config/tributary/keys");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let left: Vec<_> = fs::read_dir(file.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing is left beside it");
    assert!(ring(&[], OwnRing::Make).unwrap_err().contains("set HOME"));
}
