//! Who can write the store, but has no key, moves what is sealed to other places, and
//! accounts to other pools: nothing opens there, and nothing is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::SignedDuration;
use redis::Commands;
use serde_json::{Value, json};
use tributary::accounts::{
    AccountId, Billing, KeptBodies, NewAccount, Points, Priority, Record, ShortKey, TokenId, Tokens,
};
use tributary::store::{self, Store};
use tributary::telemetry::clock;
use tributary::vault::{KeyRing, Place, Plain, Said, SealedCredential, Vault};

use crate::rig::{Grants, KEYS, Rig, Server, Wish, ask};

const PLATFORMS: [&str; 2] = ["openai", "qwen"];

/// A store as one sees it who has a copy of it, or its password.
enum Raw {
    File(PathBuf),
    Redis(redis::Connection),
}

impl Raw {
    fn of(url: &str) -> Self {
        match url.strip_prefix("sqlite:") {
            Some(file) => Self::File(Path::new(file).to_owned()),
            None => Self::Redis(redis::Client::open(url).unwrap().get_connection().unwrap()),
        }
    }

    /// Every row that holds something sealed, by where it lies.
    fn rows(&mut self) -> BTreeMap<(String, String), Value> {
        let parse = |text: String| serde_json::from_str(&text).unwrap();
        match self {
            Self::File(file) => {
                let file = rusqlite::Connection::open(file).unwrap();
                let mut rows = BTreeMap::new();
                for (table, sql) in [
                    ("accounts", "SELECT id, row FROM accounts"),
                    ("bodies", "SELECT record, bodies FROM bodies"),
                ] {
                    let mut find = file.prepare(sql).unwrap();
                    let mut found = find.query([]).unwrap();
                    while let Some(row) = found.next().unwrap() {
                        let id = row.get::<_, i64>(0).unwrap().to_string();
                        rows.insert((table.to_owned(), id), parse(row.get(1).unwrap()));
                    }
                }
                rows
            }
            Self::Redis(redis) => {
                let keys: Vec<String> = redis.keys("*").unwrap();
                let mut rows = BTreeMap::new();
                for key in keys.iter().filter(|key| key.ends_with(":f") || key.ends_with(":rs")) {
                    let fields: BTreeMap<String, String> = redis.hgetall(key).unwrap();
                    for (field, text) in fields {
                        rows.insert((key.clone(), field), parse(text));
                    }
                }
                rows
            }
        }
    }

    fn write(&mut self, rows: &BTreeMap<(String, String), Value>) {
        for ((table, id), row) in rows {
            match self {
                Self::File(file) => {
                    let file = rusqlite::Connection::open(file).unwrap();
                    let (column, key) =
                        if table == "accounts" { ("row", "id") } else { ("bodies", "record") };
                    let sql = format!("UPDATE {table} SET {column} = ? WHERE {key} = ?");
                    assert_eq!(file.execute(&sql, (row.to_string(), id)).unwrap(), 1);
                }
                Self::Redis(redis) => {
                    redis.hset::<_, _, _, ()>(table, id, row.to_string()).unwrap();
                }
            }
        }
    }
}

/// The places of sealed texts in a row.
const TEXTS: [&str; 6] = [
    "/sealed/wrapped_key",
    "/sealed/body",
    "/short_key/sealed/wrapped_key",
    "/short_key/sealed/body",
    "/request",
    "/response",
];

/// What an account's row says of where it lies.
const LABELS: [&str; 4] = ["/id", "/pool", "/platform", "/generation"];

struct Town {
    url: String,
    vault: Vault,
}

impl Town {
    async fn store(&self) -> std::sync::Arc<dyn Store> {
        let settings = store::Settings { url: self.url.clone(), ..Default::default() };
        store::open(&settings).await.unwrap()
    }

    /// Two users, each with two accounts on each of two platforms, of two generations, each
    /// with a short-lived key, and kept bodies of two records.
    async fn people(&self) {
        let store = self.store().await;
        for name in ["ann", "bob"] {
            let user = store.add_user(name).await.unwrap();
            for (platform, generation) in PLATFORMS.iter().flat_map(|p| [(p, 1), (p, 2)]) {
                let id = store.reserve_account_id().await.unwrap();
                let seal = |field, text: &str| {
                    let place =
                        Place { pool: user.pool.0, account: id.0, platform, field, generation };
                    let plain = Plain::from(format!("{name} {id} {text}").into_bytes());
                    self.vault.seal_credential(&place, &plain).unwrap()
                };
                let account = NewAccount {
                    id,
                    pool: user.pool,
                    owner: user.id,
                    owner_proof: String::new(),
                    platform: (*platform).into(),
                    name: format!("{platform}-{generation}"),
                    dialect: None,
                    windows: Vec::new(),
                    priority: Priority::default(),
                    sealed: seal("credential", "key"),
                    generation,
                    expires_at: None,
                };
                store.add_account(account).await.unwrap();
                let sealed = seal("short_key", "short");
                let ends_at = clock::now() + SignedDuration::from_hours(1);
                let key = ShortKey { sealed, generation, renew_at: ends_at, ends_at };
                assert!(store.keep_short_key(id, key).await.unwrap());
            }
            for number in 1..=2 {
                let id = format!("{name}-{number}");
                let seal = |said| self.vault.seal_words(user.id.0, &id, said, b"words").unwrap();
                let (request, response) = (seal(Said::Request), seal(Said::Response));
                let bodies = Some(KeptBodies { request, response, cut: false });
                let record = Record { user: user.id, bodies, ..record(&id) };
                store.record(vec![Arc::new(record)]).await.unwrap();
            }
        }
    }

    /// All that opens, as a gateway would open it.
    async fn opens(&self) -> BTreeSet<String> {
        let store = self.store().await;
        let mut opens = BTreeSet::new();
        let mut opened = |name: String, is_open: bool| {
            if is_open {
                opens.insert(name);
            }
        };
        let last = store.reserve_account_id().await.unwrap();
        for id in (1..last.0).map(AccountId) {
            // A row that can't be what it says is as good as none.
            let Ok(Some(account)) = store.account(id).await else { continue };
            let is_open =
                |field, sealed: &SealedCredential| self.vault.opens(&account.place(field), sealed);
            opened(format!("{id} credential"), is_open("credential", &account.sealed));
            let short = account.own_short_key();
            let short = short.is_some_and(|key| is_open("short_key", &key.sealed));
            opened(format!("{id} short key"), short);
        }
        for user in store.users().await.unwrap() {
            for record in store.records_of(user.id, None, 100).await.unwrap() {
                let Some(KeptBodies { request, response, .. }) = &record.bodies else { continue };
                for (said, sealed) in [(Said::Request, request), (Said::Response, response)] {
                    let plain = self.vault.open_words(user.id.0, &record.id, said, sealed);
                    opened(format!("{} {said:?}", record.id), plain.is_ok());
                }
            }
        }
        opens
    }
}

fn record(id: &str) -> Record {
    Record {
        id: id.into(),
        at: clock::now(),
        user: tributary::accounts::UserId(0),
        token: TokenId(1),
        model: "m".into(),
        streamed: false,
        input: Tokens(1),
        cache_read: Tokens(0),
        cache_write: Tokens(0),
        output: Tokens(1),
        reasoning: Tokens(0),
        estimated: false,
        took_ms: 1,
        first_byte_ms: None,
        billing: Billing::Quota,
        points: Points(0),
        outcome: "ok".into(),
        attempts: Vec::new(),
        bodies: None,
    }
}

/// Moves values around in a ring: each comes to the place of the one `by` places further.
fn shifted(slots: &[(usize, &str)], rows: &mut [Value], by: usize) {
    let values: Vec<Value> =
        slots.iter().map(|(row, at)| rows[*row].pointer(at).unwrap().clone()).collect();
    for (number, value) in values.into_iter().enumerate() {
        let (row, at) = slots[(number + by) % slots.len()];
        *rows[row].pointer_mut(at).unwrap() = value;
    }
}

// T-SPLICE: each sealed value in the place of each other, whole and by its halves; and each
// row's labels in the place of each other's.
async fn splice(url: String) {
    let ring = KeyRing::generate().unwrap();
    let town = Town { url, vault: Vault::new(&KeyRing::parse(&ring).unwrap()) };
    town.people().await;
    let mut raw = Raw::of(&town.url);
    let honest = raw.rows();
    let all = town.opens().await;
    assert_eq!(all.len(), 2 * 4 * 2 + 2 * 2 * 2, "{all:?}");
    let keys: Vec<_> = honest.keys().cloned().collect();

    let slots = |wanted: &[&'static str]| -> Vec<(usize, &'static str)> {
        let rows = honest.values().enumerate();
        let of_row = |(row, value): (usize, &Value)| -> Vec<(usize, &'static str)> {
            // A record has an id, too; labels are an account's.
            let is_label = |at: &str| LABELS.contains(&at);
            let there = wanted.iter().filter(|at| value.pointer(at).is_some());
            let there = there.filter(|at| !is_label(at) || value.get("sealed").is_some());
            there.map(|at| (row, *at)).collect()
        };
        rows.flat_map(of_row).collect()
    };
    // What moves, and whether all that moves is sealed: what is not moved still opens.
    let mut moves: Vec<(Vec<(usize, &str)>, &str)> = vec![
        (slots(&["/sealed", "/short_key/sealed"]), "credential"),
        (slots(&["/sealed/wrapped_key", "/short_key/sealed/wrapped_key"]), "credential"),
        (slots(&["/sealed/body", "/short_key/sealed/body"]), "credential"),
        (slots(&["/request", "/response"]), "Re"),
        (slots(&TEXTS), ""),
    ];
    moves.extend(LABELS.map(|label| (slots(&[label]), "")));
    let mut tried = 0;
    for (number, (slots, _)) in moves.iter().enumerate() {
        assert!(slots.len() >= 8, "{slots:?}");
        for by in 1..slots.len() {
            let mut rows: Vec<Value> = honest.values().cloned().collect();
            shifted(slots, &mut rows, by);
            let spliced: BTreeMap<_, _> = keys.iter().cloned().zip(rows.iter().cloned()).collect();
            // Labels may be alike: what says the same as before opens as before.
            let same: Vec<usize> =
                (0..rows.len()).filter(|row| rows[*row] == honest[&keys[*row]]).collect();
            raw.write(&spliced);
            let opens = town.opens().await;
            let moved: BTreeSet<usize> = slots.iter().map(|(row, _)| *row).collect();
            for name in &opens {
                let row = keys.iter().position(|key| is_of(name, key, &honest[key]));
                let row = row.unwrap_or_else(|| panic!("{name}"));
                let untouched = !moved.contains(&row) || same.contains(&row);
                assert!(untouched, "{number}, {by} further: {name} opens");
            }
            tried += moved.len();
        }
    }
    assert!(tried > 500, "{tried}");
    raw.write(&honest);
    assert_eq!(town.opens().await, all);
}

/// Whether what opens lies in a row.
fn is_of(name: &str, (table, id): &(String, String), row: &Value) -> bool {
    let whose = name.split(' ').next().unwrap();
    match row.get("sealed") {
        Some(_) => row["id"].as_i64() == whose.parse().ok(),
        // The embedded store's bodies are numbered in the order of their records.
        None if table == "bodies" => {
            let names = ["ann-1", "ann-2", "bob-1", "bob-2"];
            names.iter().position(|name| *name == whose) == Some(id.parse::<usize>().unwrap() - 1)
        }
        None => id == whose,
    }
}

// T-SPLICE
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t_splice_what_is_sealed_opens_in_its_place_alone_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    splice(format!("sqlite:{}", folder.path().join("test.db").display())).await;
}

// T-SPLICE
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t_splice_what_is_sealed_opens_in_its_place_alone_on_redis() {
    let server = Server::shared();
    splice(server.fresh_url()).await;
}

// T-SPLICE: a stranger who writes Redis brings another's accounts into the own pool.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t_splice_an_account_serves_the_pool_that_it_was_bound_to_alone() {
    let server = Server::shared();
    let url = server.fresh_url();
    let mut redis = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
    let rig = Rig::on_database(Wish::default(), server, url).await;
    let (stranger, token) = rig.stranger().await;
    let (theirs, own) = (rig.user.pool, stranger.pool);
    let chat = async || rig.chat_as(&token, ask("gpt-4.1", "hello")).await;
    assert_eq!(chat().await.status, 404);

    // Every key of the pool's.
    let pattern = format!("{{p:{theirs}}}:*");
    let keys: Vec<String> = redis.keys(pattern).unwrap();
    assert!(keys.len() > 5, "{keys:?}");
    for key in &keys {
        let copy = key.replace(&format!("{{p:{theirs}}}"), &format!("{{p:{own}}}"));
        let _: bool =
            redis::cmd("COPY").arg(key).arg(copy).arg("REPLACE").query(&mut redis).unwrap();
    }
    let answer = chat().await;
    assert_ne!(answer.status, 200, "{answer:?}");

    // An account of the own, with another's row in its place.
    let mine = rig.bind(&stranger, "qwen", "mine", KEYS[1].1[1], 1_000_000).await;
    let family = |pool| format!("{{p:{pool}}}:qwen:f");
    let victim = rig.account("qwen", 0).await.account.id;
    let row: String = redis.hget(family(theirs), victim.0).unwrap();
    redis.hset::<_, _, _, ()>(family(own), mine.0, &row).unwrap();
    // And with all that names its place put right, but what is sealed.
    let mut relabelled: Value = serde_json::from_str(&row).unwrap();
    (relabelled["id"], relabelled["pool"]) = (json!(mine.0), json!(own.0));
    let pinned = |id: AccountId| {
        let mut body = ask("qwen-plus", "hello");
        body["account_id"] = json!(id.0);
        body
    };
    for row in [row, relabelled.to_string()] {
        redis.hset::<_, _, _, ()>(family(own), mine.0, &row).unwrap();
        redis.set::<_, _, ()>(format!("acx:{victim}"), format!("{own} qwen")).unwrap();
        for body in [pinned(mine), pinned(victim), ask("qwen-plus", "hello")] {
            let answer = rig.chat_as(&token, body).await;
            assert_ne!(answer.status, 200, "{answer:?}");
        }
        redis.set::<_, _, ()>(format!("acx:{victim}"), format!("{theirs} qwen")).unwrap();
    }
    assert_eq!(
        rig.rows("openai").await.len() + rig.rows("qwen").await.len(),
        0,
        "nothing was sent"
    );
    let owners = rig.chat(pinned(victim)).await;
    assert_eq!(owners.status, 200, "{owners:?}");
}

// T-SPLICE: a stranger who writes Redis puts another's whole rows where the own are looked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t_splice_a_row_grants_nothing_where_another_is_looked_for() {
    let server = Server::shared();
    let url = server.fresh_url();
    let mut redis = redis::Client::open(url.as_str()).unwrap().get_connection().unwrap();
    let rig = Rig::on_database(Wish::default(), server, url).await;
    let mut copy = |from: &str, to: &str| {
        let mut copy = redis::cmd("COPY");
        let done: bool = copy.arg(from).arg(to).arg("REPLACE").query(&mut redis).unwrap();
        assert!(done, "{from} is not there");
    };
    let (stranger, _) = rig.stranger().await;

    let victims = rig.store.tokens_of(rig.user.id).await.unwrap().swap_remove(0);
    let (own, token) = rig.token_row(&stranger, Grants::default()).await;
    rig.store.add_token(own.clone()).await.unwrap();
    copy(&format!("{{t:{}}}", victims.index), &format!("{{t:{}}}", own.index));
    let bearer = |request: http::request::Builder| {
        request.header("authorization", format!("Bearer {token}"))
    };
    let answer = rig.send(bearer(http::Request::get("/api/v1/me")), "").await;
    assert_eq!(answer.status, 401, "{answer:?}");

    let boss = rig.operator().await;
    let console = rig.console(&stranger).await;
    assert_eq!(console.get(&rig, "/api/v1/session").await.status, 200);
    let index = async |user| rig.store.sessions_of(user).await.unwrap().swap_remove(0).index;
    let [theirs, own] = [index(boss.user).await, index(stranger.id).await];
    copy(&format!("{{s:{own}}}"), "own");
    copy(&format!("{{s:{theirs}}}"), &format!("{{s:{own}}}"));
    assert_eq!(console.get(&rig, "/api/v1/session").await.status, 401);
    copy("own", &format!("{{s:{own}}}"));
    assert_eq!(console.get(&rig, "/api/v1/session").await.status, 200);

    for key in ["{us}:users", "{us}:identities"] {
        let row: String = redis.hget(key, boss.user.0).unwrap();
        redis.hset::<_, _, _, ()>(key, stranger.id.0, row).unwrap();
    }
    assert_eq!(console.get(&rig, "/api/v1/admin/users").await.status, 401);
    assert_eq!(boss.get(&rig, "/api/v1/admin/users").await.status, 200);
}
