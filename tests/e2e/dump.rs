//! Who has a copy of the store, and no key, reads and uses nothing of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use redis::{Commands, RedisError};
use serde_json::json;
use tributary::platforms::{Credential, Secret};
use tributary::telemetry::clock;

use crate::rig::{Grants, KEYS, Rig, Server, Wish, ask, spark_app};

const PROMPT: &str = "dump-PROMPT-白鸽/7f+Q";
const PAIR: [&str; 2] = ["ALTAKdumped01234567", "76543210depmudKATLA"];
const LOGIN: &str = "dump-LOGIN-83b1f0";
const SESSION: &str = "dump-SESSION-c92e7a";
const SPARK_KEY: &str = "0123456789abcdef0123456789dddddd";

/// All that lies in the store, by where; a character a byte.
type Dump = BTreeMap<String, String>;

fn letters(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Every key of a database, in parts as they were given: an RDB file may pack them.
fn redis_dump(url: &str) -> Dump {
    let mut redis = redis::Client::open(url).unwrap().get_connection().unwrap();
    let keys: Vec<Vec<u8>> = redis.keys("*").unwrap();
    let mut dump = Dump::new();
    for key in keys {
        let kind: String = redis::cmd("TYPE").arg(&key).query(&mut redis).unwrap();
        let all = |command: &str, more: &[&str]| {
            let mut command = redis::cmd(command);
            command.arg(&key);
            for one in more {
                command.arg(one);
            }
            command
        };
        let held: Result<redis::Value, RedisError> = match kind.as_str() {
            "string" => all("GET", &[]).query(&mut redis),
            "hash" => all("HGETALL", &[]).query(&mut redis),
            "set" => all("SMEMBERS", &[]).query(&mut redis),
            "zset" => all("ZRANGE", &["0", "-1"]).query(&mut redis),
            "list" => all("LRANGE", &["0", "-1"]).query(&mut redis),
            "stream" => all("XRANGE", &["-", "+"]).query(&mut redis),
            other => panic!("a {other}"),
        };
        let mut bytes = key.clone();
        flatten(&held.unwrap(), &mut bytes);
        dump.insert(letters(&key), letters(&bytes));
    }
    dump
}

fn flatten(value: &redis::Value, into: &mut Vec<u8>) {
    match value {
        redis::Value::BulkString(bytes) => {
            into.push(b'\n');
            into.extend_from_slice(bytes);
        }
        redis::Value::Array(all) | redis::Value::Set(all) => {
            all.iter().for_each(|one| flatten(one, into));
        }
        redis::Value::Map(all) => all.iter().for_each(|(key, value)| {
            flatten(key, into);
            flatten(value, into);
        }),
        _ => {}
    }
}

/// The ways in which a secret may be written.
fn dresses(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let raw = secret.as_bytes();
    let hex = raw.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let percent = raw.iter().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(*byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    });
    let json = serde_json::to_string(secret).unwrap();
    let mut all = vec![
        ("as it is", raw.to_vec()),
        ("backwards", raw.iter().rev().copied().collect()),
        ("in hex", hex.clone().into_bytes()),
        ("in HEX", hex.to_uppercase().into_bytes()),
        ("percent-encoded", percent.collect::<String>().into_bytes()),
        (
            "every byte percent-encoded",
            raw.iter().flat_map(|byte| format!("%{byte:02X}").into_bytes()).collect(),
        ),
        ("in JSON", json.as_bytes()[1..json.len() - 1].to_vec()),
    ];
    // The letters of base64 that the secret alone decides, whatever stands beside it.
    for offset in 0..3 {
        let padded = [&vec![0; offset][..], raw, &[0, 0]].concat();
        let (first, last) = ((offset * 8).div_ceil(6), (offset + raw.len()) * 8 / 6);
        all.push(("in base64", STANDARD_NO_PAD.encode(&padded).as_bytes()[first..last].to_vec()));
        all.push((
            "in base64url",
            URL_SAFE_NO_PAD.encode(&padded).as_bytes()[first..last].to_vec(),
        ));
    }
    all
}

fn traces(secret: &str, dump: &Dump) -> Vec<String> {
    let mut found = Vec::new();
    for (way, written) in dresses(secret) {
        let written = letters(&written);
        for (place, held) in dump {
            if held.contains(&written) {
                found.push(format!("{secret} {way} in {place}"));
            }
        }
    }
    found
}

// T-DUMP
async fn dump(rig: Rig, dumped: impl Fn() -> Dump) {
    let grants = || Grants { keep_bodies: true, ..Grants::default() };
    let (_, token) = rig.token(&rig.user, grants()).await;
    let (revoked, old) = rig.token(&rig.user, grants()).await;
    rig.store.revoke_token(revoked).await.unwrap();
    let pair = json!({"access_key": PAIR[0], "secret_key": PAIR[1], "appid": "app-1"}).to_string();
    let pair = rig.bind(&rig.user, "ernie", "pair", &pair, 1_000_000).await;
    let triple = spark_app(SPARK_KEY);
    let triple = rig.bind_to_face("spark_ws", &rig.user, "spark", "triple", &triple).await;
    let end = clock::now() + SignedDuration::from_hours(1);
    let secret = |text: String| -> Secret { text.into() };
    let oauth = format!("at_{}_{LOGIN}", end.as_second());
    let login = Credential::Oauth { access_token: secret(oauth.clone()) };
    let login = rig.bind_login("openai", "login", &login, Some(end)).await;
    let session = Credential::Session {
        cookies: BTreeMap::from([
            ("sim_sid".to_owned(), secret(SESSION.into())),
            ("sim_end".to_owned(), secret(end.as_second().to_string())),
        ]),
        headers: BTreeMap::from([("X-Sim-Csrf".to_owned(), secret(SESSION.into()))]),
    };
    let session = rig.bind_login("qwen", "session", &session, Some(end)).await;

    for (account, model) in [
        (None, "gpt-4.1"),
        (None, "qwen-plus"),
        (None, "glm-4.7"),
        (None, "claude-haiku-4-5"),
        (Some(pair), "ernie-5.1"),
        (Some(triple), "4.0Ultra"),
        (Some(login), "gpt-4.1"),
        (Some(session), "qwen-plus"),
    ] {
        let mut body = ask(model, &format!("repeat: {PROMPT}"));
        if let Some(account) = account {
            body["account_id"] = json!(account.0);
        }
        let answer = rig.chat_as(&token, body).await;
        assert_eq!(answer.status, 200, "{model}: {answer:?}");
        assert!(rig.record(&answer).await.bodies.is_some());
    }
    let short = rig.store.account(pair).await.unwrap().unwrap();
    let sealed = &short.short_key.as_ref().unwrap().sealed;
    let issued = rig.vault.open_credential(&short.place("short_key"), sealed).unwrap();
    let issued = String::from_utf8(issued.expose_secret().to_vec()).unwrap();

    let dump = dumped();
    let mut secrets = vec![PROMPT, PAIR[1], LOGIN, SESSION, &oauth, SPARK_KEY, &issued];
    let app: serde_json::Value = serde_json::from_str(&spark_app(SPARK_KEY)).unwrap();
    secrets.push(app["api_secret"].as_str().unwrap());
    secrets.extend(KEYS.iter().flat_map(|(_, keys)| keys));
    // Of tokens the beginning and the last four are shown to people.
    for token in [&token, &old, &rig.token] {
        secrets.extend([token.as_str(), &token[12..token.len() - 4]]);
    }
    let found: Vec<String> = secrets.iter().flat_map(|secret| traces(secret, &dump)).collect();
    assert!(found.is_empty(), "{found:#?}");

    // The search would be worth nothing if there was nothing to find.
    for public in ["pair", "v1.dek.", "4.0Ultra"] {
        assert!(!traces(public, &dump).is_empty(), "{public}");
    }
    for (way, written) in dresses(PROMPT) {
        let planted = Dump::from([("here".to_owned(), format!("a, {}!", letters(&written)))]);
        assert!(!traces(PROMPT, &planted).is_empty(), "{way}");
    }

    // Nothing that lies there is good as a token.
    let words: BTreeSet<&str> = dump
        .values()
        .flat_map(|held| {
            held.split(|c: char| !(c.is_ascii_alphanumeric() || "._-+/=~:".contains(c)))
        })
        .filter(|word| (12..400).contains(&word.len()))
        .collect();
    assert!(words.len() > 50, "{}", words.len());
    for word in words {
        let tried = [
            word.to_owned(),
            format!("tb_{word}"),
            word.rsplit(['.', ':']).next().unwrap().to_owned(),
        ];
        for tried in tried {
            let answer = rig.chat_as(&tried, ask("gpt-4.1", "hello")).await;
            assert_eq!(answer.status, 401, "{tried}");
        }
    }
    let served = rig.chat_as(&token, ask("gpt-4.1", "hello")).await;
    assert_eq!(served.status, 200, "{served:?}");
}

// T-DUMP
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t_dump_a_copy_of_the_file_is_of_no_use() {
    let rig = Rig::on_sqlite(Wish::default()).await;
    let folder = rig.folder().unwrap().to_owned();
    dump(rig, || {
        let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
        files
            .map(|file| (file.display().to_string(), letters(&std::fs::read(file).unwrap())))
            .collect()
    })
    .await;
}

// T-DUMP
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t_dump_a_copy_of_redis_is_of_no_use() {
    let server = Server::shared();
    let url = server.fresh_url();
    let rig = Rig::on_database(Wish::default(), Arc::clone(&server), url.clone()).await;
    dump(rig, || redis_dump(&url)).await;
}
