//! Settings at their ends.

use std::time::Duration;

use tributary::accounts::{Charge, Tokens};
use tributary::store::{Keep, redis, sqlite};

use crate::rig::{NOON, Rig, Server, clock_at, reads};

const NOTHING: Keep = Keep { records_an_account: 0, age: Duration::ZERO, audit: Duration::ZERO };
const ALL: Keep = Keep { records_an_account: usize::MAX, age: Duration::MAX, audit: Duration::MAX };

async fn a_lease_is_served(rig: Rig) {
    // A part of it is a time, too: a gateway renews four times as often.
    assert!(rig.store.lease_deadline() / 4 > Duration::ZERO);
    let ann = rig.user().await;
    let one = rig.account(&ann, 100).await;
    let held = rig.ask(&ann, 30).held().await;
    rig.sweep().await;
    rig.settle(&held, Charge::Exact(Tokens(20))).await;
    rig.sweep().await;
    assert_eq!(rig.used(&ann, one).await, 20);
}

#[tokio::test]
async fn no_setting_is_too_small_or_too_large_on_sqlite() {
    for (deadline, keep) in [(Duration::ZERO, NOTHING), (Duration::MAX, ALL)] {
        let folder = tempfile::tempdir().unwrap();
        let clock = clock_at(NOON);
        let options =
            sqlite::Options { clock: reads(&clock), deadline, keep, ..sqlite::Options::default() };
        let store = sqlite::SqliteStore::open(&folder.path().join("test.db"), options).unwrap();
        a_lease_is_served(Rig::on(store, clock)).await;
    }
}

#[tokio::test]
async fn no_setting_is_too_small_or_too_large_on_redis() {
    let server = Server::shared();
    for (deadline, keep) in [(Duration::ZERO, NOTHING), (Duration::MAX, ALL)] {
        let clock = clock_at(NOON);
        let clock_of_test = Some(reads(&clock));
        let options =
            redis::Options { clock: clock_of_test, deadline, keep, ..redis::Options::default() };
        let store = redis::RedisStore::open(&server.fresh_url(), options).await.unwrap();
        a_lease_is_served(Rig::on(store, clock)).await;
    }
}
