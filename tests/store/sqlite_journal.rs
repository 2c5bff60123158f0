//! What the embedded store's journal has and no fold has written: it is there after a crash.

use futures_util::StreamExt;
use jiff::tz::TimeZone;
use tributary::accounts::{AccountId, Charge, ChargeKind, LeaseAsk, Settlement, Tokens};
use tributary::store::StoreError;
use tributary::store::sqlite::{Options, SqliteStore};

use crate::records::record;
use crate::rig::{MIDNIGHT, NOON, Rig, Wish, clock_at, fresh_id, key, reads};

/// How many rows a table of the file has that a killed gateway would leave.
pub fn rows(rig: &Rig, table: &str) -> i64 {
    figure(rig, &format!("SELECT count(*) FROM {table}"))
}

/// What the file that a killed gateway would leave answers.
pub fn figure(rig: &Rig, sql: &str) -> i64 {
    let copy = tempfile::tempdir().unwrap();
    for name in ["test.db", "test.db-wal"] {
        std::fs::copy(rig.folder().join(name), copy.path().join(name)).unwrap();
    }
    let conn = rusqlite::Connection::open(copy.path().join("test.db")).unwrap();
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// The journal's rows that are not to be written over.
const JOURNAL: &str = "journal
    WHERE fold = (SELECT coalesce(max(value), 0) FROM counters WHERE name = 'folds')";

#[tokio::test]
async fn the_journal_of_each_fold_is_written_over_the_last_ones_and_never_replayed_with_it() {
    let mut rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let one = rig.account(&ann, 1_000_000).await;
    let long = "m".repeat(10_000);
    let mut held = 0;
    let mut seen = Vec::new();
    for (turn, leases) in [300, 700, 1, 0, 40, 200].into_iter().enumerate() {
        let asks = (0..leases).map(|_| rig.ask(&ann, 10).held());
        futures_util::stream::iter(asks).buffered(64).collect::<Vec<_>>().await;
        // A line that no page has room for, among others.
        rig.ask(&ann, 10).model(&long).held().await;
        rig.ask(&ann, 10).held().await;
        held += leases + 2;
        if turn == 4 {
            rig.crash();
        }
        assert_eq!(rig.shown(&ann, one).await.leased, Tokens(10 * held));
        rig.sweep().await;
        assert_eq!(rows(&rig, JOURNAL), 0);
        seen.push(rows(&rig, "journal"));
    }
    // The first fold after a start gives all back; then there are as many as one fold ever had.
    assert!(
        matches!(seen[..], [0, a, b, c, 0, d] if a == b && b == c && c > d && d > 0),
        "{seen:?}"
    );
    rig.crash();
    assert_eq!(rig.shown(&ann, one).await.leased, Tokens(10 * held));
    rig.pass_secs(121);
    assert_eq!(rig.sweep().await, held as usize);
    assert_eq!(rig.charges(&ann).await.len(), held as usize);
}

#[tokio::test]
async fn a_lease_that_ends_before_the_fold_is_never_a_row() {
    let rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    rig.account(&ann, 1000).await;
    let short = rig.ask(&ann, 30).held().await;
    rig.ask(&ann, 7).held().await;
    rig.settle(&short, Charge::Exact(Tokens(20))).await;
    assert_eq!((rows(&rig, JOURNAL), rows(&rig, "leases"), rows(&rig, "charges")), (1, 0, 0));
    rig.sweep().await;
    assert_eq!((rows(&rig, JOURNAL), rows(&rig, "leases"), rows(&rig, "charges")), (0, 1, 1));
}

#[tokio::test]
async fn a_renewal_outlives_a_crash_before_and_after_a_fold() {
    for folds in [false, true] {
        let mut rig = Rig::sqlite(Wish::default());
        let ann = rig.user().await;
        rig.account(&ann, 1000).await;
        let held = rig.ask(&ann, 30).held().await;
        if folds {
            rig.sweep().await;
        }
        rig.pass_secs(100);
        assert_eq!(rig.store.renew(std::slice::from_ref(&held.key)).await.unwrap(), []);
        rig.crash();
        rig.pass_secs(60);
        assert_eq!(rig.sweep().await, 0);
        rig.crash();
        assert_eq!(rig.ask(&ann, 30).id(held.key.id).held().await.grant, held.grant);
        rig.pass_secs(61);
        assert_eq!(rig.sweep().await, 1);
        assert_eq!(rig.charges_of(&ann, held.key.id).await, [(ChargeKind::Estimated, 30)]);
    }
}

#[tokio::test]
async fn a_lease_that_a_fold_wrote_ends_once_whatever_is_killed_when() {
    let mut rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let held = rig.ask(&ann, 30).held().await;
    rig.sweep().await;
    rig.crash();
    rig.settle(&held, Charge::Exact(Tokens(21))).await;
    for _ in 0..2 {
        rig.crash();
        let state = rig.shown(&ann, one).await;
        assert_eq!((state.windows[0].used, state.leased), (Tokens(21), Tokens::ZERO));
        rig.settle(&held, Charge::Exact(Tokens(99))).await;
        assert_eq!(rig.charges_of(&ann, held.key.id).await, [(ChargeKind::Exact, 21)]);
        assert_eq!(rows(&rig, "leases"), 0);
    }
}

#[tokio::test]
async fn an_estimate_is_replaced_once_though_all_is_killed_between() {
    let mut rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let held = rig.ask(&ann, 30).held().await;
    rig.pass_secs(120);
    assert_eq!(rig.sweep().await, 1);
    rig.crash();
    rig.settle(&held, Charge::Exact(Tokens(21))).await;
    for _ in 0..2 {
        rig.crash();
        rig.settle(&held, Charge::Exact(Tokens(99))).await;
        assert_eq!(rig.used(&ann, one).await, 21);
        let rows = [(ChargeKind::Estimated, 30), (ChargeKind::Correction, -9)];
        assert_eq!(rig.charges_of(&ann, held.key.id).await, rows);
    }
    assert_eq!(rows(&rig, "estimates"), 0);
}

#[tokio::test]
async fn an_estimate_is_waited_for_a_day_and_leaves_the_file_then() {
    let rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    rig.account(&ann, 1000).await;
    rig.ask(&ann, 30).held().await;
    rig.pass_secs(120);
    assert_eq!(rig.sweep().await, 1);
    assert_eq!(rows(&rig, "estimates"), 1);
    rig.pass_secs(24 * 3600 + 1);
    rig.sweep().await;
    assert_eq!(rows(&rig, "estimates"), 0);
}

#[tokio::test]
async fn what_was_charged_before_midnight_is_replayed_as_before_midnight() {
    let mut rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let held = rig.ask(&ann, 30).held().await;
    let open = rig.ask(&ann, 7).held().await;
    rig.settle(&held, Charge::Exact(Tokens(21))).await;
    rig.set(MIDNIGHT);
    rig.crash();
    let state = rig.shown(&ann, one).await;
    assert_eq!((state.windows[0].used, state.leased), (Tokens::ZERO, Tokens(7)));
    rig.settle(&open, Charge::Exact(Tokens(5))).await;
    rig.crash();
    assert_eq!(rig.used(&ann, one).await, 5);
    assert_eq!(rig.charges(&ann).await.len(), 2);
}

#[tokio::test]
async fn nothing_is_left_of_an_account_that_goes_with_unfolded_lines() {
    let mut rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let (gone, stays) = (rig.account(&ann, 1000).await, rig.account(&ann, 1000).await);
    let mut open = Vec::new();
    for account in [gone, stays] {
        let held = rig.ask(&ann, 30).only(account).held().await;
        rig.settle(&held, Charge::Exact(Tokens(20))).await;
        rig.ask(&ann, 40).only(account).held().await;
        rig.pass_secs(121);
        rig.sweep().await;
        let held = rig.ask(&ann, 30).only(account).held().await;
        rig.settle(&held, Charge::Exact(Tokens(3))).await;
        open.push(rig.ask(&ann, 7).only(account).held().await);
    }
    assert!(rig.store.remove_account(gone).await.unwrap());
    let mut kept = Vec::new();
    for _ in 0..2 {
        rig.crash();
        let count = (rows(&rig, JOURNAL), rows(&rig, "leases"), rows(&rig, "estimates"));
        kept.push(count);
        assert_eq!(rig.used(&ann, stays).await, 63);
        let rows = rig.charges(&ann).await;
        let on: Vec<AccountId> = rows.iter().map(|row| row.account).collect();
        assert_eq!(on, [stays; 3]);
    }
    assert_eq!(kept, [(0, 1, 1); 2]);
    // Its lease ends as any, and no charge names it.
    let batch = open
        .into_iter()
        .map(|held| Settlement { lease: held.key.into(), charge: Charge::Exact(Tokens(1)) });
    rig.store.settle(batch.collect(), &rig.resets()).await.unwrap();
    assert_eq!(rig.charges(&ann).await.len(), 4);
}

#[tokio::test]
async fn an_accounts_charges_go_from_however_many_rows() {
    let mut rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let (gone, stays) = (rig.account(&ann, 1000).await, rig.account(&ann, 1000).await);
    // Rows that hold charges of both, of the one, and of the other.
    for accounts in [[gone, stays].as_slice(), &[gone], &[stays]].repeat(90) {
        for &account in accounts {
            let held = rig.ask(&ann, 1).only(account).held().await;
            rig.settle(&held, Charge::Exact(Tokens(1))).await;
        }
        rig.sweep().await;
    }
    assert_eq!(rows(&rig, "charges"), 270);
    assert!(rig.store.remove_account(gone).await.unwrap());
    assert_eq!(rows(&rig, "charges"), 180);
    rig.crash();
    let listed = rig.charges(&ann).await;
    assert_eq!(listed.iter().filter(|row| row.account == stays).count(), 180);
    assert_eq!((listed.len(), rig.used(&ann, stays).await), (180, 180));
}

#[tokio::test]
async fn ten_thousand_open_leases_outlive_a_crash() {
    let mut rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let one = rig.account(&ann, 1_000_000).await;
    for folded in [false, true] {
        let asks = (0..5_000).map(|_| rig.ask(&ann, 10).held());
        futures_util::stream::iter(asks).buffered(256).collect::<Vec<_>>().await;
        if !folded {
            rig.sweep().await;
        }
    }
    rig.crash();
    assert_eq!(rig.shown(&ann, one).await.leased, Tokens(100_000));
    rig.pass_secs(120);
    rig.crash();
    assert_eq!(rig.sweep().await, 10_000);
    rig.crash();
    let state = rig.shown(&ann, one).await;
    assert_eq!((state.windows[0].used, state.leased), (Tokens(100_000), Tokens::ZERO));
    let listed = rig.store.charges(ann.pool, &"qwen".into(), None, 20_000).await.unwrap();
    assert_eq!(listed.len(), 10_000);
}

#[tokio::test]
async fn reports_tell_what_was_answered_though_the_disk_is_too_full_to_fold() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    let clock = clock_at(NOON);
    let options = Options { clock: reads(&clock), max_pages: Some(85), ..Options::default() };
    let rig = Rig::on(SqliteStore::open(&file, options.clone()).unwrap(), clock.clone());
    let ann = rig.user().await;
    let one = rig.account(&ann, 1_000_000_000).await;
    let held = rig.ask(&ann, 5).held().await;
    rig.settle(&held, Charge::Exact(Tokens(3))).await;
    let mut recorded = 0;
    let full = loop {
        // Each of another model, so that the fold has rows to add.
        let mut record = record(&rig, &ann, &format!("r{recorded}"));
        record.attempts[0].model = format!("model-{recorded}").into();
        match rig.record(vec![record]).await {
            Ok(()) => recorded += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, StoreError::Full(_)) && recorded > 50, "{full} {recorded}");
    let sweep = rig.store.sweep(&rig.resets()).await;
    assert!(matches!(sweep, Err(StoreError::Full(_))), "{sweep:?} {recorded}");

    let day = TimeZone::UTC.to_datetime(rig.now()).date();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let listed = rig.store.records_on(ann.id, one, None, usize::MAX).await.unwrap();
        let listed = listed.into_iter().map(|record| record.id).collect::<Vec<_>>();
        let totals = rig.store.totals_of(ann.id, day, day).await.unwrap();
        seen.push((listed, totals, rig.charges(&ann).await));
    }
    let (listed, totals, charges) = &seen[0];
    assert_eq!((listed.len(), totals.len(), charges.len()), (recorded, recorded + 1, 1));
    drop(rig);
    let options = Options { max_pages: None, ..options };
    let rig = Rig::on(SqliteStore::open(&file, options).unwrap(), clock);
    rig.sweep().await;
    let listed = rig.store.records_on(ann.id, one, None, usize::MAX).await.unwrap();
    let listed = listed.into_iter().map(|record| record.id).collect::<Vec<_>>();
    let totals = rig.store.totals_of(ann.id, day, day).await.unwrap();
    seen.push((listed, totals, rig.charges(&ann).await));
    assert!(seen.iter().all(|look| *look == seen[0]));
}

#[tokio::test]
async fn folds_on_a_full_disk_lose_nothing_and_count_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    let clock = clock_at(NOON);
    let options = Options { clock: reads(&clock), max_pages: Some(85), ..Options::default() };
    let rig = Rig::on(SqliteStore::open(&file, options.clone()).unwrap(), clock.clone());
    let ann = rig.user().await;
    let one = rig.account(&ann, 1_000_000_000).await;
    let resets = rig.resets();
    let (mut granted, mut settled, mut recorded, mut failed) = (0, 0, 0, 0);
    for turn in 0.. {
        let key = key(fresh_id(), &ann, one, rig.now());
        let ask = LeaseAsk {
            id: key.id,
            user: ann.id,
            token: key.token,
            pool: ann.pool,
            platform: &key.platform,
            model: &key.model,
            estimate: Tokens(5),
            only: None,
            except: &[],
            conversation: None,
            resets: &resets,
        };
        let leased = rig.store.lease(ask).await.is_ok_and(|grant| grant.is_ok());
        granted += u64::from(leased);
        let end = vec![Settlement { lease: key.into(), charge: Charge::Exact(Tokens(3)) }];
        let ended = leased && rig.store.settle(end, &resets).await.is_ok();
        settled += u64::from(ended);
        let told = rig.record(vec![record(&rig, &ann, &format!("r{turn}"))]).await;
        recorded += u64::from(told.is_ok());
        let swept = turn % 9 > 0 || rig.store.sweep(&resets).await.is_ok();
        failed += usize::from(!ended || told.is_err() || !swept);
        if failed == 100 {
            break;
        }
    }
    assert!(settled > 50 && recorded > 50, "{settled} {recorded}");
    drop(rig);
    for _ in 0..2 {
        let options = Options { max_pages: None, ..options.clone() };
        let rig = Rig::on(SqliteStore::open(&file, options).unwrap(), clock.clone());
        let state = rig.shown(&ann, one).await;
        assert_eq!(state.windows[0].used, Tokens(3 * settled));
        assert_eq!(state.leased, Tokens(5 * (granted - settled)));
        assert_eq!(rig.charges(&ann).await.len() as u64, settled);
        let listed = rig.store.records_on(ann.id, one, None, usize::MAX).await.unwrap();
        assert_eq!(listed.len() as u64, recorded);
        let day = TimeZone::UTC.to_datetime(rig.now()).date();
        let totals = rig.store.totals_of(ann.id, day, day).await.unwrap();
        let sum = totals.iter().map(|total| (total.counts.calls, total.counts.exact.0));
        let sum = sum.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        assert_eq!(sum, (recorded, 3 * settled));
    }
}
