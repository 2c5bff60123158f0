//! A new key in an old one's place: callers don't notice, and nothing is lost.

use std::sync::Arc;

use serde_json::Value;
use tributary::accounts::{KeptBodies, Resets};
use tributary::authorize::has_proved_owner;
use tributary::store::Store;
use tributary::telemetry::clock;
use tributary::vault::{KeyRing, Said, Vault};

use crate::figures;
use crate::rig::{Server, Town};

const ACCOUNTS: usize = 1000;
const CALLERS: usize = 16;
/// Answers that callers get between two steps.
const ANSWERS: usize = 50;

// T-ROTATE
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t_rotate_no_request_fails_while_the_ring_changes_on_sqlite() {
    // One process holds the file: whoever calls while it is restarted waits.
    rotate("SQLite", "sqlite:test.db", 1).await;
}

// T-ROTATE
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t_rotate_no_request_fails_while_the_ring_changes_on_redis() {
    let server = Server::shared();
    rotate("Redis", &server.fresh_url(), 2).await;
}

async fn rotate(store: &str, url: &str, gateways: usize) {
    let [old, new] = keys();
    let mut town = Town::on(url, &old).await;
    let tokens = town.people(ACCOUNTS, CALLERS).await;
    // As long as they are kept by default.
    town.records(12, 64 << 10).await;
    for _ in 0..gateways {
        town.serve(&old);
    }
    let crowd = town.callers(&tokens);
    crowd.goes_on(ANSWERS).await;

    // As docs/keys.md says.
    for ring in [format!("{old},{new}"), format!("{new},{old}")] {
        town.restart_each(&ring).await;
        crowd.goes_on(ANSWERS).await;
    }
    town.shell.set("TRIBUTARY_MASTER_KEYS", &format!("{new},{old}"));
    let mut killed = town.shell.start(&["keys", "rotate", "--per-second", "50"]);
    assert!(killed.first_told().ends_with("moved\n"));
    drop(killed); // kill -9
    let moved = town.shell.run(&["--json", "keys", "rotate"]).json();
    let moved_now = moved["moved"]["accounts"].as_u64().unwrap();
    assert!((1..ACCOUNTS as u64).contains(&moved_now), "{moved}");
    let mut status = Value::Null;
    crowd
        .until(async || {
            status = town.shell.run(&["--json", "keys", "status"]).json();
            status["keys"][1]["may_leave"] == true
        })
        .await;
    assert_eq!(status["keys"][0]["accounts"], ACCOUNTS, "{status}");
    assert_eq!(status["keys"][0]["tokens"], CALLERS, "{status}");

    town.restart_each(&new).await;
    crowd.goes_on(ANSWERS).await;
    town.shell.set("TRIBUTARY_MASTER_KEYS", &new);
    let last = town.shell.run(&["--json", "keys", "rotate"]).json();
    assert_eq!(last["moved"]["forgotten"].as_array().unwrap().len(), 1, "{last}");
    crowd.goes_on(ANSWERS).await;
    let (answered, failed) = crowd.end().await;
    assert_eq!(failed, Vec::<String>::new(), "of {answered}");
    town.end();
    figures::tell(
        &format!("rotation, {store}"),
        &[("accounts", &ACCOUNTS), ("requests", &answered), ("failed", &failed.len())],
    );
    let opened = everything_opens(&town.store().await, &vault(&new)).await;
    assert_eq!((opened.accounts, opened.short_keys), (ACCOUNTS, ACCOUNTS / 10));
    assert!(opened.records > ANSWERS, "{}", opened.records);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_is_killed_goes_on_where_it_was_on_sqlite() {
    survive("sqlite:test.db").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_is_killed_goes_on_where_it_was_on_redis() {
    let server = Server::shared();
    survive(&server.fresh_url()).await;
}

async fn survive(url: &str) {
    const MANY: usize = 40;
    let [old, new] = keys();
    let mut town = Town::on(url, &old).await;
    town.people(MANY, 1).await;
    town.records(MANY, 10).await;
    town.shell.set("TRIBUTARY_MASTER_KEYS", &format!("{new},{old}"));
    let under = |town: &Town| {
        let status = town.shell.run(&["--json", "keys", "status"]).json();
        let count = |key: usize, what: &str| status["keys"][key][what].as_u64().unwrap();
        for what in ["accounts", "records"] {
            assert_eq!(count(0, what) + count(1, what), MANY as u64, "{status}");
        }
        count(0, "accounts") + count(0, "short_keys") + count(0, "records")
    };
    let mut moved = under(&town);
    assert_eq!(moved, 0);
    // The last of them among the records.
    for _ in 0..6 {
        let mut rotation = town.shell.start(&["keys", "rotate", "--per-second", "10"]);
        rotation.first_told();
        drop(rotation); // kill -9
        let now = under(&town);
        assert!(now > moved, "{now} after {moved}");
        moved = now;
    }
    let all = (2 * MANY + MANY / 10) as u64;
    assert!(moved < all, "{moved}");
    town.shell.run(&["keys", "rotate"]).ok();
    assert_eq!(under(&town), all);
    let opened = everything_opens(&town.store().await, &vault(&new)).await;
    assert_eq!((opened.accounts, opened.records), (MANY, MANY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_missing_key_locked_works_again_when_it_is_back_on_sqlite() {
    come_back("sqlite:test.db").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_missing_key_locked_works_again_when_it_is_back_on_redis() {
    let server = Server::shared();
    come_back(&server.fresh_url()).await;
}

async fn come_back(url: &str) {
    let [old, new] = keys();
    let mut town = Town::on(url, &old).await;
    let tokens = town.people(2, 1).await;
    town.serve(&format!("{new},{old}"));
    let crowd = town.callers(&tokens);
    crowd.goes_on(1).await; // The token is the new key's now.
    crowd.end().await;
    town.end();
    // The old key leaves too early.
    town.serve(&new);
    let crowd = town.callers(&tokens);
    crowd.until(async || !crowd.failed().is_empty()).await;
    let (_, failed) = crowd.end().await;
    assert!(failed[0].contains("502") && failed[0].contains("account_unauthorized"), "{failed:?}");
    let health = |town: &Town| {
        let accounts = town.shell.run(&["--json", "account", "list"]).json();
        let accounts = accounts.as_array().unwrap().clone();
        accounts.iter().map(|one| one["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    town.shell.set("TRIBUTARY_MASTER_KEYS", &new);
    town.shell.run(&["keys", "rotate"]).ok();
    assert!(health(&town).contains(&"locked".to_owned()), "{:?}", health(&town));
    town.end();

    town.shell.set("TRIBUTARY_MASTER_KEYS", &format!("{new},{old}"));
    let done = town.shell.run(&["keys", "rotate"]).ok();
    assert!(done.out.starts_with("moved to key ") && done.out.contains(": 2 accounts"), "{done:?}");
    assert_eq!(health(&town), ["active", "active"]);
    town.serve(&new);
    let crowd = town.callers(&tokens);
    crowd.goes_on(5).await;
    assert_eq!(crowd.end().await.1, Vec::<String>::new());
    town.end();
}

fn keys() -> [String; 2] {
    [(); 2].map(|()| KeyRing::generate().unwrap().to_string())
}

fn vault(ring: &str) -> Vault {
    Vault::new(&KeyRing::parse(ring).unwrap())
}

#[derive(Default)]
struct Opened {
    accounts: usize,
    short_keys: usize,
    records: usize,
}

async fn everything_opens(store: &Arc<dyn Store>, vault: &Vault) -> Opened {
    let mut opened = Opened::default();
    let resets = Resets::after(clock::now(), ["UTC"]);
    let mut after = None;
    loop {
        let page = store.accounts_after(after, 100, &resets).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.account.id);
        for account in page.iter().map(|state| &state.account) {
            vault.open_credential(&account.place("credential"), &account.sealed).unwrap();
            assert!(has_proved_owner(vault, account));
            opened.accounts += 1;
            if let Some(key) = &account.short_key {
                vault.open_credential(&account.place("short_key"), &key.sealed).unwrap();
                opened.short_keys += 1;
            }
        }
    }
    for user in store.users().await.unwrap() {
        for record in store.records_of(user.id, None, 1_000_000).await.unwrap() {
            let Some(KeptBodies { request, response, .. }) = &record.bodies else { continue };
            for (said, sealed) in [(Said::Request, request), (Said::Response, response)] {
                vault.open_words(user.id.0, &record.id, said, sealed).unwrap();
            }
            opened.records += 1;
        }
    }
    opened
}
