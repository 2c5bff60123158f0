//! Records as they lie on Redis: what was said apart, each in its accounts' lists, figures within
//! what a script counts exactly.

use jiff::civil::Date;
use tributary::accounts::{AccountId, Attempt, Charge, Record, Tokens, User};
use tributary::store::Keep;

use crate::records::record;
use crate::rig::{Rig, Server, Wish, cli};

/// Runs a command on a user's key.
fn run(
    server: &Server,
    url: &str,
    user: &User,
    command: &str,
    part: &str,
    rest: &[&str],
) -> String {
    let (database, key) = (url.rsplit_once('/').unwrap().1, format!("{{u:{}}}:{part}", user.id));
    cli(server.port(), &[&["-n", database, command, &key], rest].concat()).trim().to_owned()
}

async fn recorded(rig: &Rig, user: &User, ids: &[&str]) -> Vec<Record> {
    let mut records = Vec::new();
    for id in ids {
        rig.pass_secs(1);
        let one = record(rig, user, id);
        rig.record(vec![one.clone()]).await.unwrap();
        records.insert(0, one);
    }
    records
}

#[tokio::test]
async fn what_was_said_lies_apart_and_goes_with_its_record() {
    let server = Server::shared();
    let url = server.fresh_url();
    let wish = Wish { keep: Keep { records_an_account: 3, ..Keep::default() } };
    let rig = Rig::on_url(&url, wish).await;
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let records = recorded(&rig, &ann, &["a", "b", "c", "d", "e"]).await;
    assert_eq!(rig.store.records_of(ann.id, None, 10).await.unwrap(), records[..3]);
    let row = run(&server, &url, &ann, "HGET", "rb", &["e"]);
    assert!(row.contains("qwen-plus") && !row.contains("request-of-e"), "{row}");
    assert_eq!(run(&server, &url, &ann, "HLEN", "rs", &[]), "3");
    assert_eq!(one, AccountId(1));
    assert!(rig.store.remove_account(one).await.unwrap());
    assert_eq!(run(&server, &url, &ann, "EXISTS", "rs", &[]), "0");
}

#[tokio::test]
async fn a_record_with_what_was_said_in_it_is_read_and_goes() {
    let server = Server::shared();
    let url = server.fresh_url();
    let rig = Rig::on_url(&url, Wish::default()).await;
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let records = recorded(&rig, &ann, &["old", "new"]).await;
    // As it was written before.
    let old = serde_json::to_string(&records[1]).unwrap();
    run(&server, &url, &ann, "HSET", "rb", &["old", &old]);
    run(&server, &url, &ann, "HDEL", "rs", &["old"]);
    assert_eq!(rig.store.records_of(ann.id, None, 10).await.unwrap(), records);
    assert!(rig.store.remove_account(one).await.unwrap());
    assert!(rig.store.records_of(ann.id, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn many_records_that_are_over_go_at_once_and_from_every_list() {
    let server = Server::shared();
    let url = server.fresh_url();
    let rig = Rig::on_url(&url, Wish::default()).await;
    let ann = rig.user().await;
    let (one, two) = (rig.account(&ann, 1000).await, rig.account(&ann, 1000).await);
    let batch = (0..700).map(|number| {
        let first = record(&rig, &ann, &format!("r{number:03}"));
        let attempt = |account| Attempt { account, ..first.attempts[0].clone() };
        Record { attempts: vec![attempt(one), attempt(two)], ..first }
    });
    let batch: Vec<_> = batch.collect();
    rig.record(batch.clone()).await.unwrap();
    let counts = || ["ri", "ra"].map(|set| run(&server, &url, &ann, "ZCARD", set, &[]));
    assert_eq!(counts(), ["700", "1400"]);
    // From now on fewer are kept.
    let wish = Wish { keep: Keep { records_an_account: 3, ..Keep::default() } };
    let rig = Rig::on_url(&url, wish).await;
    let last = Record { id: "last".into(), ..batch[0].clone() };
    rig.record(vec![last]).await.unwrap();
    assert_eq!(counts(), ["3", "6"]);
    assert_eq!(run(&server, &url, &ann, "HLEN", "rb", &[]), "3");
    let kept = rig.store.records_of(ann.id, None, 10).await.unwrap();
    let ids: Vec<_> = kept.iter().map(|record| &*record.id).collect();
    assert_eq!(ids, ["r699", "r698", "r697"]);
}

#[tokio::test]
async fn figures_stop_at_the_largest_that_a_script_counts_exactly() {
    const LARGEST: u64 = 1 << 53;
    let server = Server::shared();
    let rig = Rig::on_url(&server.fresh_url(), Wish::default()).await;
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let held = [rig.ask(&ann, 1).held().await, rig.ask(&ann, 1).held().await];
    for (held, id) in held.iter().zip(["a", "b"]) {
        rig.settle(held, Charge::Exact(Tokens(u64::MAX))).await;
        let call = Record { input: Tokens(u64::MAX), ..record(&rig, &ann, id) };
        rig.record(vec![call]).await.unwrap();
    }
    assert_eq!(rig.used(&ann, one).await, LARGEST);
    let (first, last) = (Date::constant(2026, 1, 1), Date::constant(2027, 12, 31));
    let totals = rig.store.totals_of(ann.id, first, last).await.unwrap();
    let input = totals.iter().map(|total| total.counts.input.0).max();
    assert_eq!(input, Some(LARGEST));
}
