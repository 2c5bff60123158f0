//! Records and totals that the embedded store's fold has not listed and summed yet, and the lists
//! that it keeps: each record is found wherever it was tried, and counted once.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use tributary::accounts::{AccountId, Attempt, Charge, Record, Tokens, User};
use tributary::store::{Keep, StoreError};

use crate::records::record;
use crate::rig::{Rig, Wish};
use crate::sqlite_journal::{figure, rows};

/// A record of a call that was tried on these accounts.
fn on(rig: &Rig, user: &User, id: &str, accounts: &[AccountId]) -> Record {
    let plain = record(rig, user, id);
    let tried = plain.attempts[0].clone();
    let attempts = accounts.iter().map(|&account| Attempt { account, ..tried.clone() });
    Record { attempts: attempts.collect(), bodies: None, ..plain }
}

async fn listed(rig: &Rig, user: &User, account: Option<AccountId>, a_page: usize) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let before = all.last().map(String::as_str);
        let page = match account {
            Some(account) => rig.store.records_on(user.id, account, before, a_page).await.unwrap(),
            None => rig.store.records_of(user.id, before, a_page).await.unwrap(),
        };
        if page.is_empty() {
            return all;
        }
        all.extend(page.into_iter().map(|record| record.id));
    }
}

/// How many records the lists of a kind have.
fn in_lists(rig: &Rig, kind: i64) -> i64 {
    figure(rig, &format!("SELECT coalesce(sum(count), 0) FROM lists WHERE kind = {kind}"))
}

/// Calls, attempts, exact and estimated tokens of a user's day.
async fn counted(rig: &Rig, user: &User) -> [u64; 4] {
    let day = TimeZone::UTC.to_datetime(rig.now()).date();
    let totals = rig.store.totals_of(user.id, day, day).await.unwrap();
    totals.iter().fold([0; 4], |[calls, attempts, exact, estimated], total| {
        let of = &total.counts;
        [calls + of.calls, attempts + of.attempts, exact + of.exact.0, estimated + of.estimated.0]
    })
}

#[tokio::test]
async fn what_no_fold_has_summed_is_counted_once_whatever_is_killed() {
    let mut rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let held = rig.ask(&ann, 30).held().await;
    rig.settle(&held, Charge::Exact(Tokens(21))).await;
    rig.record(vec![on(&rig, &ann, "first", &[one])]).await.unwrap();
    rig.crash();
    rig.record(vec![on(&rig, &ann, "second", &[one])]).await.unwrap();
    rig.crash();
    // The fold that this asks for is killed, or not, and so is one more.
    for _ in 0..3 {
        assert_eq!(counted(&rig, &ann).await, [2, 2, 21, 0]);
        assert_eq!(listed(&rig, &ann, None, 1).await, ["second", "first"]);
        assert_eq!(listed(&rig, &ann, Some(one), 9).await, ["second", "first"]);
        rig.crash();
    }
    // One that comes alone, with nothing in the journal.
    rig.record(vec![on(&rig, &ann, "third", &[one])]).await.unwrap();
    rig.crash();
    assert_eq!(counted(&rig, &ann).await, [3, 3, 21, 0]);
    let rig = rig.reopened();
    assert_eq!(listed(&rig, &ann, Some(one), 9).await, ["third", "second", "first"]);
    assert_eq!(counted(&rig, &ann).await, [3, 3, 21, 0]);
}

#[tokio::test]
async fn an_estimate_and_its_late_figure_are_summed_once_in_one_fold_and_in_two() {
    for folds in [false, true] {
        let mut rig = Rig::sqlite(Wish::default());
        let ann = rig.user().await;
        rig.account(&ann, 1000).await;
        let held = rig.ask(&ann, 30).held().await;
        rig.pass_secs(120);
        rig.sweep().await;
        if folds {
            assert_eq!(counted(&rig, &ann).await, [0, 0, 0, 30]);
        }
        rig.settle(&held, Charge::Exact(Tokens(21))).await;
        for _ in 0..2 {
            rig.crash();
            assert_eq!(counted(&rig, &ann).await, [0, 0, 21, 0]);
        }
    }
}

#[tokio::test]
async fn a_call_that_outlives_its_account_is_counted_once_though_all_is_killed() {
    let mut rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let gone = rig.account(&ann, 1000).await;
    let held = rig.ask(&ann, 30).held().await;
    rig.record(vec![on(&rig, &ann, "before", &[gone])]).await.unwrap();
    assert!(rig.store.remove_account(gone).await.unwrap());
    rig.settle(&held, Charge::Exact(Tokens(21))).await;
    // Its attempt says what it was charged, which counts where the charge does.
    rig.record(vec![on(&rig, &ann, "after", &[gone])]).await.unwrap();
    for _ in 0..2 {
        rig.crash();
        assert_eq!(counted(&rig, &ann).await, [2, 2, 21, 0]);
        assert_eq!(listed(&rig, &ann, None, 9).await, ["after"]);
        assert_eq!(listed(&rig, &ann, Some(gone), 9).await, [""; 0]);
    }
}

#[tokio::test]
async fn what_a_removed_account_had_goes_slice_by_slice_though_all_is_killed() {
    let mut rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let (gone, stays) = (rig.account(&ann, 10_000).await, rig.account(&ann, 10_000).await);
    let calls = (0..1600).map(|turn| on(&rig, &ann, &format!("r{turn}"), &[gone]));
    rig.record(calls.collect()).await.unwrap();
    for turn in 0..500 {
        let account = if turn % 5 == 0 { stays } else { gone };
        let held = rig.ask(&ann, 1).only(account).held().await;
        rig.settle(&held, Charge::Exact(Tokens(1))).await;
        // A row of each.
        rig.sweep().await;
    }
    // Whoever asked has hung up, and so does not wait for the rest.
    assert!(futures_util::poll!(Box::pin(rig.store.remove_account(gone))).is_pending());
    rig.user().await;
    assert!(rig.store.account(gone).await.unwrap().is_none());
    rig.crash();
    let (records, charges) = (rows(&rig, "records"), rows(&rig, "charges"));
    assert!((1..1600).contains(&records) && charges == 500, "{records} {charges}");
    // Commits come and go.
    while rows(&rig, "charges") == 500 {
        rig.user().await;
    }
    let charges = rows(&rig, "charges");
    assert!(charges > 100, "{charges}");
    rig.crash();
    // Somebody asks again.
    assert!(rig.store.remove_account(gone).await.unwrap());
    assert!(!rig.store.remove_account(gone).await.unwrap());
    assert_eq!((rows(&rig, "records"), rows(&rig, "charges")), (0, 100));
    assert_eq!(rows(&rig, "leaving"), 0);
    assert_eq!(counted(&rig, &ann).await, [1600, 1600, 500, 0]);
    assert!(rig.charges(&ann).await.iter().all(|charge| charge.account == stays));
}

#[tokio::test]
async fn what_can_not_be_read_of_a_removed_account_keeps_nobody_elses_commits() {
    let rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let gone = rig.account(&ann, 10_000).await;
    let calls = (0..1200).map(|turn| on(&rig, &ann, &format!("r{turn}"), &[gone]));
    rig.record(calls.collect()).await.unwrap();
    rig.sweep().await;
    let conn = rusqlite::Connection::open(rig.folder().join("test.db")).unwrap();
    let change = |sql: &str| assert_eq!(conn.execute(sql, []).unwrap(), 1, "{sql}");
    // One that is in a list alone, and one of a later slice.
    change("DELETE FROM records WHERE seq = (SELECT min(seq) FROM records)");
    let row = "seq = (SELECT min(seq) FROM records WHERE seq >= 700)";
    let lines = format!("SELECT lines FROM records WHERE {row}");
    let whole: Vec<u8> = conn.query_row(&lines, [], |row| row.get(0)).unwrap();
    change(&format!("UPDATE records SET lines = x'ff' WHERE {row}"));
    let broken = rig.store.remove_account(gone).await;
    assert!(matches!(broken, Err(StoreError::Unavailable(_))), "{broken:?}");
    for _ in 0..3 {
        rig.user().await;
    }
    assert_eq!(in_lists(&rig, 1), 700);
    // Once a minute it is tried again.
    rig.pass_secs(61);
    assert!(rig.store.sweep(&rig.resets()).await.is_err());
    for _ in 0..3 {
        rig.user().await;
        rig.pass_secs(1);
        rig.sweep().await;
    }
    conn.execute(&format!("UPDATE records SET lines = ? WHERE {row}"), [whole]).unwrap();
    assert!(rig.store.remove_account(gone).await.unwrap());
    for of_it in ["records", "leaving", "lists WHERE kind = 1"] {
        assert_eq!(rows(&rig, of_it), 0, "{of_it}");
    }
}

#[tokio::test]
async fn a_long_list_is_walked_page_by_page_across_its_rows() {
    let rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let (one, two) = (rig.account(&ann, 1000).await, rig.account(&ann, 1000).await);
    let mut ids = Vec::new();
    for (batch, count) in [900, 1, 350].into_iter().enumerate() {
        let accounts =
            |turn: usize| if turn.is_multiple_of(3) { vec![one, two] } else { vec![one] };
        let named: Vec<_> =
            (0..count).map(|turn| (format!("{batch}-{turn}"), accounts(turn))).collect();
        let records = named.iter().map(|(id, accounts)| on(&rig, &ann, id, accounts)).collect();
        rig.record(records).await.unwrap();
        rig.sweep().await;
        ids.extend(named);
    }
    ids.reverse();
    let of = |account| {
        ids.iter().filter(move |(_, on)| on.contains(&account)).map(|(id, _)| id.as_str())
    };
    assert_eq!(listed(&rig, &ann, None, 100).await, of(one).collect::<Vec<_>>());
    assert_eq!(listed(&rig, &ann, Some(two), 57).await, of(two).collect::<Vec<_>>());
    assert!(rig.store.remove_account(two).await.unwrap());
    let left = ids.iter().filter(|(_, on)| !on.contains(&two)).map(|(id, _)| id.as_str());
    let left: Vec<_> = left.collect();
    assert_eq!(listed(&rig, &ann, None, 100).await, left);
    assert_eq!(listed(&rig, &ann, Some(one), 100).await, left);
}

#[tokio::test]
async fn records_of_any_length_share_rows_and_go_from_them() {
    let mut rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let (gone, stays) = (rig.account(&ann, 1000).await, rig.account(&ann, 1000).await);
    let call = |turn: usize| Record {
        // Some fill more than a page of the file.
        model: "m".repeat([10, 900, 6000, 10, 10][turn % 5]),
        bodies: record(&rig, &ann, "").bodies.filter(|_| turn % 10 < 2),
        ..on(&rig, &ann, &format!("r{turn}"), &[if turn.is_multiple_of(3) { gone } else { stays }])
    };
    let mut calls: Vec<Record> = (0..120).map(call).collect();
    rig.record(calls.clone()).await.unwrap();
    calls.reverse();
    rig.crash();
    assert_eq!(rig.store.records_of(ann.id, None, 200).await.unwrap(), calls);
    assert!((24 * 2..24 * 3).contains(&rows(&rig, "records")), "{}", rows(&rig, "records"));

    assert!(rig.store.remove_account(gone).await.unwrap());
    calls.retain(|call| call.attempts[0].account == stays);
    for _ in 0..2 {
        assert_eq!(rig.store.records_of(ann.id, None, 200).await.unwrap(), calls);
        let before = Some(calls[30].id.as_str());
        let older = rig.store.records_on(ann.id, stays, before, 20).await.unwrap();
        assert_eq!(older, calls[31..51]);
        let kept = calls.iter().filter(|call| call.bodies.is_some()).count();
        assert_eq!(rows(&rig, "bodies"), kept as i64);
        rig.crash();
    }
}

#[tokio::test]
async fn what_goes_from_one_accounts_list_goes_from_all() {
    let keep = Keep { records_an_account: 100, ..Keep::default() };
    let rig = Rig::sqlite(Wish { keep });
    let ann = rig.user().await;
    let (one, two) = (rig.account(&ann, 1000).await, rig.account(&ann, 1000).await);
    for turn in 0..60 {
        let tried = |part: usize| match (turn + part) % 7 {
            0 => vec![one, two],
            1 => vec![two],
            _ => vec![one],
        };
        let records = (0..40).map(|part| on(&rig, &ann, &format!("{turn}-{part}"), &tried(part)));
        rig.record(records.collect()).await.unwrap();
        if turn % 4 == 0 {
            rig.sweep().await;
        }
    }
    for _ in 0..10 {
        rig.sweep().await;
    }
    let all = listed(&rig, &ann, None, 1000).await;
    let (first, second) =
        (listed(&rig, &ann, Some(one), 1000).await, listed(&rig, &ann, Some(two), 1000).await);
    assert!((100..=111).contains(&first.len()), "{}", first.len());
    assert!(second.len() <= 111, "{}", second.len());
    let both: BTreeSet<_> = first.iter().chain(&second).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>(), both);
    assert_eq!((all[0].as_str(), all.len()), ("59-39", both.len()));
}

#[tokio::test]
async fn old_records_go_a_slice_with_each_commit() {
    let rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let records = (0..1200).map(|turn| Record {
        bodies: record(&rig, &ann, "").bodies.filter(|_| turn % 100 == 0),
        ..on(&rig, &ann, &format!("r{turn}"), &[one])
    });
    rig.record(records.collect()).await.unwrap();
    rig.sweep().await;
    rig.pass(Keep::default().age * 2);
    let mut left = Vec::new();
    for _ in 0..4 {
        rig.sweep().await;
        left.push((in_lists(&rig, 0), rows(&rig, "bodies")));
    }
    assert_eq!(rows(&rig, "records"), 1);
    // Each is also searched in its lists, and requests wait for the commit; the newest stays.
    assert_eq!(left, [(700, 7), (200, 2), (1, 0), (1, 0)]);
    assert_eq!(listed(&rig, &ann, Some(one), 9).await, ["r1199"]);
}
