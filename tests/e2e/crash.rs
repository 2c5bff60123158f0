//! kill -9 in the middle of a crowd's requests, and books that can still be audited.

use jiff::SignedDuration;
use tributary::accounts::{Charge, ChargeKind};

use crate::both;
use crate::rig::{Crowd, Fleet, PLATFORM, Rig, Server, Wish, ask};

const CALLERS: usize = 64;
/// `TRIBUTARY_TEST_KILLS` asks for more.
const KILLS: usize = 10;
/// Answers that callers get before each kill.
const ANSWERS_BEFORE: usize = 100;
/// How long nothing can be committed before a kill; a gateway waits for longer.
const HELD: std::time::Duration = std::time::Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_every_granted_lease_is_charged_on_sqlite() {
    survive("SQLite", "sqlite:test.db").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_every_granted_lease_is_charged_on_redis() {
    let server = Server::shared();
    survive("Redis", &server.fresh_url()).await;
}

async fn survive(store: &str, url: &str) {
    let fleet = Fleet::on(url, "2s").await;
    let kills = std::env::var("TRIBUTARY_TEST_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    for _ in 0..kills {
        let (gateway, base_url) = fleet.serve();
        let crowd = Crowd::at([base_url.as_str()], &fleet.token, CALLERS);
        crowd.goes_on(ANSWERS_BEFORE).await;
        let held = hold_commits(&fleet);
        tokio::time::sleep(HELD).await;
        drop(gateway); // kill -9
        drop(held);
        assert_eq!(crowd.end_without_gateway().await, 0, "nobody was refused");
    }
    let (gateway, _) = fleet.serve();
    fleet.all_charged().await;
    gateway.terminate();

    let audit = fleet.audit().await;
    audit.tell(&format!("kill -9, {store}"), kills);
    // What ran when it was killed, and what was answered but not settled yet.
    let marked = audit.marked.len();
    assert!((1..=2 * CALLERS * kills).contains(&marked), "{marked}");
}

/// Takes the file's one writer's place, so that leases answered before they are durable would
/// pile up, their requests sent. On Redis a lease is one script: nothing can come between.
fn hold_commits(fleet: &Fleet) -> Option<rusqlite::Connection> {
    let held = rusqlite::Connection::open(fleet.file()?).unwrap();
    held.busy_timeout(std::time::Duration::from_secs(2)).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    Some(held)
}

both! {
    #[wish(Wish { lease_deadline: SignedDuration::from_millis(1200), ..Wish::default() })]
    async fn a_living_gateway_keeps_a_lease_past_its_deadline(rig: Rig) {
        let answer = rig.chat_streamed(ask("gpt-4.1", "pace 100 ms say 40 words")).await;
        let record = rig.record(&answer).await;
        assert!(record.took_ms > 3600, "{record:?}");
        assert!(matches!(record.attempts[0].charge, Charge::Exact(_)), "{record:?}");
        rig.all_settled(PLATFORM).await;
        let rows = rig.charges(PLATFORM).await;
        let kinds: Vec<_> = rows.iter().map(|row| row.kind).collect();
        assert_eq!(kinds, [ChargeKind::Exact], "it was never charged by its estimate");
    }
}
