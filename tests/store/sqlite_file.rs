//! What only the embedded store promises: one process, one file, no wrong count.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Poll;

use tributary::accounts::{
    AccountId, Charge, ChargeKind, HoldAsk, HoldKey, Points, Policy, Purse, Tokens,
};
use tributary::store::sqlite::{Options, SqliteStore};
use tributary::store::{Directory, Keep, Ledger, Settings, StoreError, holder};

use crate::records::record;
use crate::rig::{NOON, Rig, Wish, clock_at, fresh_id, hours, reads};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    (folder, file)
}

fn open(file: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(file, Options::default())
}

#[tokio::test]
async fn a_second_process_is_told_who_holds_the_file() {
    let (_folder, file) = folder();
    let settings = Settings { url: format!("sqlite:{}", file.display()), ..Settings::default() };
    assert_eq!(holder(&settings).unwrap(), None);
    let store = open(&file).unwrap();
    store.tell_holder("127.0.0.1:7080").unwrap();
    let refused = open(&file).err().unwrap();
    assert!(matches!(refused, StoreError::Unusable(_)));
    assert!(refused.to_string().ends_with("state.db is in use by 127.0.0.1:7080"), "{refused}");
    assert_eq!(holder(&settings).unwrap().unwrap(), "127.0.0.1:7080");
    drop(store);
    assert_eq!(holder(&settings).unwrap(), None);
    open(&file).unwrap();
}

#[tokio::test]
async fn the_file_is_its_owners_alone() {
    let (folder, file) = folder();
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = open(&file).unwrap();
    store.add_user("ann").await.unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
        seen += 1;
    }
    assert_eq!(seen, 4, "the database, its log, its index, its lock");
}

#[tokio::test]
async fn the_first_lease_finds_every_window_that_ended_while_the_file_was_shut() {
    let rig = Rig::sqlite(Wish::default());
    let user = rig.user().await;
    let mut best = None;
    for limit in [100, 200, 300] {
        let account = rig.account_with(&user, "qwen", vec![hours(2, limit)]).await;
        let held = rig.ask(&user, 0).only(account).held().await;
        rig.settle(&held, Charge::Exact(Tokens(limit - 10))).await;
        best = Some(account);
    }
    rig.pass_secs(2 * 3600);
    let rig = rig.reopened();
    assert_eq!(rig.ask(&user, 0).lands_on().await, best.unwrap());
}

#[tokio::test]
async fn the_charge_of_a_removed_accounts_open_lease_has_no_id() {
    let (_folder, file) = folder();
    let rig = Rig::on(open(&file).unwrap(), clock_at(NOON));
    let ann = rig.user().await;
    let gone = rig.account(&ann, 1000).await;
    let (settled, kept) = (rig.ask(&ann, 40).held().await, rig.ask(&ann, 30).held().await);
    rig.settle(&settled, Charge::Exact(Tokens(7))).await;
    assert!(rig.store.remove_account(gone).await.unwrap());
    rig.settle(&kept, Charge::Exact(Tokens(8))).await;
    drop(rig);
    let conn = rusqlite::Connection::open(&file).unwrap();
    let packs = conn.prepare("SELECT lines FROM charges ORDER BY seq").unwrap();
    let packs =
        { packs }.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap().collect::<Vec<_>>();
    let mut kept = Vec::new();
    for pack in packs {
        let pack = pack.unwrap();
        let mut rest: &[u8] = &pack;
        while !rest.is_empty() {
            type Charge = (i64, [u8; 16], i64, i64, i64, i64, i64);
            let (charge, after) = postcard::take_from_bytes::<Charge>(rest).unwrap();
            kept.push((charge.2, charge.5));
            rest = after;
        }
    }
    // What was charged before went with the account; this is nobody's of its family.
    assert_eq!(kept, [(-1, 8)]);
}

#[tokio::test]
async fn an_open_lease_whose_account_went_before_such_leases_were_told_apart_ends_as_any() {
    let (_folder, file) = folder();
    let rig = Rig::live(Arc::new(open(&file).unwrap()));
    let ann = rig.user().await;
    let gone = rig.account(&ann, 1000).await;
    let held = rig.ask(&ann, 30).held().await;
    assert!(rig.store.remove_account(gone).await.unwrap());
    drop(rig);
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.execute_batch(
        "DROP TABLE nobodies;
         INSERT INTO platforms_of_leases SELECT row, 'qwen' FROM leases WHERE account = -1;
         UPDATE leases SET account = 0;",
    )
    .unwrap();
    drop(conn);
    let rig = Rig::live(Arc::new(open(&file).unwrap()));
    rig.settle(&held, Charge::Exact(Tokens(8))).await;
    let today = rig.now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let totals = rig.store.totals_of(ann.id, today, today).await.unwrap();
    let all = totals.iter().map(|it| (it.key.platform.clone(), it.counts.exact.0));
    assert_eq!(all.collect::<Vec<_>>(), [(Some("qwen".into()), 8)]);
    // Nothing tells which pool it was of.
    assert_eq!(rig.charges(&ann).await, []);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let (_folder, file) = folder();
    std::fs::write(&file, "not a database, but long enough to be looked at as one".repeat(50))
        .unwrap();
    assert!(matches!(open(&file), Err(StoreError::Unusable(_))));
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let (first, second) = (rig.account(&ann, 1000).await, rig.account(&ann, 900).await);
    let settled = rig.ask(&ann, 300).held().await;
    rig.settle(&settled, Charge::Exact(Tokens(250))).await;
    let guessed = rig.ask(&ann, 40).only(second).held().await;
    rig.pass_secs(120);
    assert_eq!(rig.sweep().await, 1);
    let open = rig.ask(&ann, 7).held().await;
    rig.cool(second, 60, false).await;
    rig.block(first, "qwen-max", 90).await;
    rig.store.add_canary("k1:aa").await.unwrap();
    let before = rig.store.accounts_in(&[ann.pool], &rig.resets()).await.unwrap();
    let charges = rig.charges(&ann).await;

    let rig = rig.reopened();
    let after = rig.store.accounts_in(&[ann.pool], &rig.resets()).await.unwrap();
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
    assert_eq!(rig.charges(&ann).await, charges);
    assert_eq!(rig.store.canaries().await.unwrap(), ["k1:aa"]);
    assert!(rig.ask(&ann, 1).model("qwen-max").answer().await.is_err());
    // An open lease is the same lease, and an estimate can still be replaced.
    let again = rig.ask(&ann, 7).id(open.key.id).held().await;
    assert_eq!(again.grant, open.grant);
    rig.settle(&guessed, Charge::Exact(Tokens(41))).await;
    let rows = [(ChargeKind::Estimated, 40), (ChargeKind::Correction, 1)];
    assert_eq!(rig.charges_of(&ann, guessed.key.id).await, rows);
    let rig = rig.reopened();
    rig.settle(&guessed, Charge::Exact(Tokens(99))).await;
    assert_eq!(rig.used(&ann, second).await, 41);
    // Ids go on.
    assert!(rig.account(&ann, 1).await > second);
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_never_a_count() {
    let (_folder, file) = folder();
    let clock = clock_at(NOON);
    let options = Options { clock: reads(&clock), max_pages: Some(80), ..Options::default() };
    let rig = Rig::on(SqliteStore::open(&file, options.clone()).unwrap(), clock.clone());
    let ann = rig.user().await;
    let one = rig.account(&ann, 1_000_000_000).await;
    let (mut granted, mut settled) = (0, 0);
    let full = loop {
        let resets = rig.resets();
        let key = crate::rig::key(crate::rig::fresh_id(), &ann, one, rig.now());
        let ask = tributary::accounts::LeaseAsk {
            id: key.id,
            user: ann.id,
            token: key.token,
            pool: ann.pool,
            platform: &key.platform,
            model: &"qwen-plus".into(),
            estimate: Tokens(5),
            only: None,
            except: &[],
            conversation: None,
            resets: &resets,
        };
        match rig.store.lease(ask).await {
            Ok(grant) => _ = grant.unwrap(),
            Err(error) => break error,
        }
        granted += 1;
        let end = vec![tributary::accounts::Settlement {
            lease: key.into(),
            charge: Charge::Exact(Tokens(3)),
        }];
        match rig.store.settle(end, &resets).await {
            Ok(()) => settled += 1,
            Err(error) => break error,
        }
    };
    let fix = "free some where the database lies, and the store goes on by itself";
    assert_eq!(full.to_string(), format!("the disk is full: {fix}"));
    assert!(settled > 100, "{settled}");
    // Memory holds what the file holds: what was answered, and no more.
    let state = rig.shown(&ann, one).await;
    assert_eq!(state.windows[0].used, Tokens(3 * settled));
    assert_eq!(state.leased, Tokens(5 * (granted - settled)));
    drop(rig);
    let rig =
        Rig::on(SqliteStore::open(&file, Options { max_pages: None, ..options }).unwrap(), clock);
    let again = rig.shown(&ann, one).await;
    assert_eq!(format!("{state:?}"), format!("{again:?}"));
    rig.ask(&ann, 5).held().await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_gives_its_lease_back() {
    let rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    // One poll holds the lease and waits for the commit, unless that is done at once.
    loop {
        let mut asked = Box::pin(rig.ask(&ann, 30).answer());
        match futures_util::poll!(&mut asked) {
            Poll::Ready(held) => rig.settle(&held.unwrap(), Charge::Release).await,
            Poll::Pending => break assert_eq!(rig.shown(&ann, one).await.leased, Tokens(30)),
        }
    }
    let state = rig.shown(&ann, one).await;
    assert_eq!((state.leased, state.windows[0].used), (Tokens::ZERO, Tokens::ZERO));
}

#[tokio::test]
async fn a_hold_whose_asker_hung_up_is_given_back() {
    let rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    rig.store.grant_points(ann.id, Points(100), "").await.unwrap();
    let purse = Purse::Points(ann.id);
    let key = HoldKey {
        id: fresh_id(),
        purse: purse.clone(),
        estimate: 50,
        granted_at: rig.now(),
        note: "".into(),
    };
    let mut asking = Box::pin(rig.store.hold(HoldAsk { key: &key, most: 60 }));
    assert!(futures_util::poll!(&mut asking).is_pending());
    drop(asking);
    let state = rig.store.purse(&purse).await.unwrap();
    assert_eq!((state.left, state.held), (100, 0));
}

#[tokio::test]
async fn a_bought_record_that_is_deleted_is_listed_no_more() {
    let (_folder, file) = folder();
    let clock = clock_at(NOON);
    let keep = Keep { records_an_account: 10, ..Keep::default() };
    let options = Options { clock: reads(&clock), keep, ..Options::default() };
    let rig = Rig::on(SqliteStore::open(&file, options).unwrap(), clock);
    let ann = rig.user().await;
    for turn in 0..40 {
        let mut bought = record(&rig, &ann, &format!("r{turn}"));
        bought.attempts[0].account = AccountId::OPERATOR;
        rig.record(vec![bought]).await.unwrap();
    }
    drop(rig);
    let conn = rusqlite::Connection::open(&file).unwrap();
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        conn.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let kept = count("records");
    assert!((10..=12).contains(&kept), "{kept}");
    assert_eq!(count("lists"), 2, "one of the user's, one of those on no account");
    let listed = "SELECT sum(count) FROM lists";
    assert_eq!(conn.query_row(listed, [], |row| row.get::<_, i64>(0)).unwrap(), 2 * kept);
}

#[tokio::test]
async fn policies_and_priorities_outlast_the_process() {
    let rig = Rig::sqlite(Wish::default());
    let ann = rig.user_with(Policy::Priority).await;
    rig.account_at(&ann, 1000, 30).await;
    let first = rig.account(&ann, 500).await;
    rig.set_priority(first, 2).await;
    let rig = rig.reopened();
    assert_eq!(rig.store.pool_policy(ann.pool).await.unwrap(), Some(Policy::Priority));
    assert_eq!(rig.ask(&ann, 10).lands_on().await, first);
    rig.store.set_pool_policy(ann.pool, None).await.unwrap();
    let rig = rig.reopened();
    assert_eq!(rig.store.pool_policy(ann.pool).await.unwrap(), None);
}

#[tokio::test]
async fn a_pool_without_a_policy_has_the_settings_one() {
    let (_folder, file) = folder();
    let url = format!("sqlite:{}", file.display());
    let settings = Settings { url, policy: Policy::RoundRobin, ..Settings::default() };
    let rig = Rig::live(tributary::store::open(&settings).await.unwrap());
    let ann = rig.user().await;
    rig.account(&ann, 1000).await;
    let held = rig.ask(&ann, 10).held().await;
    assert_eq!(held.grant.policy, Some(Policy::RoundRobin));
}

#[tokio::test]
async fn a_restart_forgets_where_conversations_were() {
    let rig = Rig::sqlite(Wish::default());
    let ann = rig.user_with(Policy::Sticky).await;
    for _ in 0..2 {
        rig.account(&ann, 1000).await;
    }
    let held = rig.ask(&ann, 10).conversation(7).held().await;
    rig.settle(&held, Charge::Exact(Tokens(10))).await;
    let rig = rig.reopened();
    let after = rig.ask(&ann, 10).conversation(7).held().await;
    assert_ne!(after.grant.account, held.grant.account);
    assert_eq!(rig.ask(&ann, 10).conversation(7).lands_on().await, after.grant.account);
}
