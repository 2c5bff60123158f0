//! Files of older versions, brought up to date; what those wrote is made by SQL.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use tributary::accounts::{
    AccountId, Charge, ChargeKind, Identity, LeaseId, Policy, Priority, TokenId, Tokens, User,
};
use tributary::store::sqlite::{Options, SqliteStore};
use tributary::store::{AuditLog, Directory, Keep, StoreError};

use crate::records::record;
use crate::rig::{Held, NOON, Rig, Wish, clock_at, reads};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    (folder, file)
}

fn open(file: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(file, Options::default())
}

/// A charge as version 5 wrote it: its lease, its kind, its tokens, whether its deadline made it.
struct Old<'a>(&'a Held, i64, i64, bool);

/// Makes a file what version 7 would have left, with the record of a call on an account.
fn as_version_7(conn: &Connection, user: i64, account: i64) {
    conn.execute_batch(
        "DELETE FROM journal
           WHERE fold < (SELECT coalesce(max(value), 0) FROM counters WHERE name = 'folds');
         ALTER TABLE journal DROP COLUMN fold;
         DELETE FROM counters WHERE name = 'folds';
         DROP TABLE records;
         CREATE TABLE records (
           seq INTEGER PRIMARY KEY,
           user INTEGER NOT NULL,
           at INTEGER NOT NULL,
           id TEXT NOT NULL,
           line BLOB NOT NULL
         );
         CREATE TRIGGER bodies_go AFTER DELETE ON records
           BEGIN DELETE FROM bodies WHERE record = old.seq; END;
         INSERT OR REPLACE INTO counters VALUES ('records', 5);
         INSERT INTO bodies VALUES (5, '{\"request\":\"k1:aa\",\"response\":\"k1:bb\",\"cut\":false}');
         PRAGMA user_version = 7;",
    )
    .unwrap();
    // In postcard's format; an account's charge is the second kind of three.
    let lease = 7_u128.to_be_bytes();
    let why = (Some(1000_i64), Some(2_u32), Some(0_u8), false);
    let attempt = (lease, account, "qwen", "qwen-plus", why, "ok", (1_u32, 30_u64), 0_i64, 890_u64);
    let figures = [20_u64, 1, 2, 10, 3];
    let times = (900_u64, Some(200_u64));
    let line = (7_i64, "qwen-plus", true, figures, false, times, "quota", 0_i64, "ok", [attempt]);
    let mut line = postcard::to_allocvec(&line).unwrap();
    // A list's length stands before it.
    let attempt = postcard::to_allocvec(&attempt).unwrap();
    line.insert(line.len() - attempt.len(), 1);
    let record = params![user, line];
    conn.execute("INSERT INTO records VALUES (5, ?, 1795521600000, 'r5', ?)", record).unwrap();
    for (kind, owner) in [(0, user), (1, account)] {
        conn.execute("INSERT INTO lists VALUES (?, ?, 5, 1, x'0a')", [kind, owner]).unwrap();
    }
}

/// Makes a file what version 6 would have left, with the record of a call on an account.
fn as_version_6(conn: &Connection, user: i64, account: i64) {
    as_version_7(conn, user, account);
    conn.execute_batch(
        "DELETE FROM bodies;
         DROP TABLE lists;
         DROP TABLE records;
         DELETE FROM counters WHERE name IN ('charges', 'records');
         CREATE TABLE records (
           seq INTEGER PRIMARY KEY,
           user INTEGER NOT NULL,
           at INTEGER NOT NULL,
           id TEXT NOT NULL,
           token INTEGER NOT NULL,
           model TEXT NOT NULL,
           streamed INTEGER NOT NULL,
           input INTEGER NOT NULL,
           cache_read INTEGER NOT NULL,
           cache_write INTEGER NOT NULL,
           output INTEGER NOT NULL,
           reasoning INTEGER NOT NULL,
           estimated INTEGER NOT NULL,
           took_ms INTEGER NOT NULL,
           first_byte_ms INTEGER,
           billing TEXT NOT NULL,
           points INTEGER NOT NULL,
           outcome TEXT NOT NULL,
           attempts TEXT NOT NULL
         );
         CREATE INDEX records_of_users ON records (user);
         CREATE TABLE records_of_accounts (
           account INTEGER NOT NULL,
           record INTEGER NOT NULL,
           PRIMARY KEY (account, record)
         ) WITHOUT ROWID;
         CREATE INDEX accounts_of_records ON records_of_accounts (record);
         CREATE TRIGGER bodies_go AFTER DELETE ON records
           BEGIN DELETE FROM bodies WHERE record = old.seq; END;
         CREATE TRIGGER bodies_are_forgotten AFTER UPDATE ON records
           BEGIN DELETE FROM bodies WHERE record = old.seq; END;
         PRAGMA user_version = 6;",
    )
    .unwrap();
    let attempts = format!(
        r#"[{{"lease":"{:032x}","account":{account},"platform":"qwen","model":"qwen-plus",
            "remaining":1000,"candidates":2,"policy":"most_remaining","outcome":"ok",
            "charge":{{"exact":30}},"took_ms":890}}]"#,
        7
    );
    // The second was kept for its number alone: its account was removed.
    conn.execute(
        "INSERT INTO records VALUES
           (5, ?1, 1795521600000, 'r5', 7, 'qwen-plus', 1, 20, 1, 2, 10, 3, 0, 900, 200, 'quota',
            0, 'ok', ?2),
           (6, 0, 1795521600000, '', 7, '', 0, 0, 0, 0, 0, 0, 0, 9, NULL, 'quota', 0, 'ok', '[]')",
        params![user, attempts],
    )
    .unwrap();
    conn.execute("INSERT INTO records_of_accounts VALUES (?, 5)", [account]).unwrap();
    let bodies = r#"{"request":"k1:aa","response":"k1:bb","cut":false}"#;
    conn.execute("INSERT INTO bodies VALUES (5, ?)", [bodies]).unwrap();
}

/// The record that [`as_version_6`] left is all there, and numbers go on.
async fn has_its_record(rig: &Rig, ann: &User, account: AccountId) {
    let record = record(rig, ann, "later");
    rig.record(vec![record]).await.unwrap();
    for listed in [
        rig.store.records_of(ann.id, None, 9).await.unwrap(),
        rig.store.records_on(ann.id, account, None, 9).await.unwrap(),
    ] {
        let ids: Vec<_> = listed.iter().map(|record| &*record.id).collect();
        assert_eq!(ids, ["later", "r5"]);
        let old = &listed[1];
        assert_eq!((old.token, old.streamed, old.first_byte_ms), (TokenId(7), true, Some(200)));
        assert_eq!((old.input, old.reasoning, old.took_ms), (Tokens(20), Tokens(3), 900));
        let attempt = &old.attempts[0];
        assert_eq!((attempt.lease, attempt.charge), (LeaseId(7), Charge::Exact(Tokens(30))));
        assert_eq!((attempt.policy, attempt.remaining), (Some(Policy::MostRemaining), Some(1000)));
        assert_eq!(old.bodies.as_ref().unwrap().response, "k1:bb");
    }
}

/// Makes a file what version 5 would have left, with these charges, of which so many were folded.
fn as_version_5(conn: &Connection, now: i64, charges: &[Old<'_>], folded: usize) {
    as_version_6(conn, 1, 1);
    conn.execute_batch(
        "DROP TABLE journal;
         DROP TABLE estimates;
         DROP TABLE charges;
         CREATE TABLE charges (
           seq INTEGER PRIMARY KEY,
           lease BLOB NOT NULL,
           account INTEGER NOT NULL,
           user INTEGER NOT NULL,
           kind INTEGER NOT NULL,
           tokens INTEGER NOT NULL,
           at INTEGER NOT NULL,
           row INTEGER,
           windows TEXT,
           token INTEGER NOT NULL DEFAULT 0,
           model TEXT NOT NULL DEFAULT ''
         );
         CREATE INDEX charges_that_may_change ON charges (at) WHERE kind >= 2;
         PRAGMA user_version = 5;",
    )
    .unwrap();
    for Old(held, kind, tokens, by_deadline) in charges {
        let (lease, account) = (held.key.id.0.to_be_bytes(), held.grant.account.0);
        let windows = match by_deadline {
            true => {
                let end = "SELECT resets_at FROM windows WHERE account = ?";
                let end: i64 = conn.query_row(end, [account], |row| row.get(0)).unwrap();
                Some(end.to_string())
            }
            false => None,
        };
        let row = "SELECT row FROM leases WHERE id = ?";
        let row: Option<i64> = conn.query_row(row, [lease], |row| row.get(0)).optional().unwrap();
        conn.execute(
            "INSERT INTO charges VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, 7, 'qwen-plus')",
            params![lease, account, held.key.user.0, kind, tokens, now, row, windows],
        )
        .unwrap();
    }
    conn.execute("INSERT INTO counters VALUES ('folded', ?)", [folded as i64]).unwrap();
}

#[tokio::test]
async fn a_file_of_version_5_is_brought_up_to_date() {
    let (_folder, file) = folder();
    let clock = clock_at(NOON);
    let options = Options { clock: reads(&clock), ..Options::default() };
    let rig = Rig::on(SqliteStore::open(&file, options.clone()).unwrap(), clock.clone());
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let settled = rig.ask(&ann, 300).held().await;
    rig.settle(&settled, Charge::Exact(Tokens(30))).await;
    let guessed = rig.ask(&ann, 40).held().await;
    rig.pass_secs(120);
    assert_eq!(rig.sweep().await, 1);
    let ended = rig.ask(&ann, 100).held().await;
    let late = rig.ask(&ann, 20).held().await;
    let open = rig.ask(&ann, 7).held().await;
    let now = rig.now().as_millisecond();
    drop(rig);
    let charges = [
        Old(&settled, 1, 30, false),
        Old(&guessed, 2, 40, true),
        Old(&ended, 1, 25, false),
        Old(&late, 2, 20, true),
    ];
    let conn = Connection::open(&file).unwrap();
    as_version_5(&conn, now, &charges, 2);
    // The last leases came after the fold.
    conn.execute_batch("UPDATE uses SET turn = 2").unwrap();
    drop(conn);

    let rig = Rig::on(SqliteStore::open(&file, options.clone()).unwrap(), clock.clone());
    let day = jiff::tz::TimeZone::UTC.to_datetime(rig.now()).date();
    for _ in 0..2 {
        let state = rig.shown(&ann, one).await;
        assert_eq!((state.windows[0].used, state.leased), (Tokens(115), Tokens(7)));
        let listed = rig.charges(&ann).await;
        let listed: Vec<_> = listed.iter().map(|row| (row.lease, row.kind, row.tokens)).collect();
        let (exact, estimated) = (ChargeKind::Exact, ChargeKind::Estimated);
        let charged = |held: &Held, kind, tokens| (held.key.id, kind, tokens);
        assert_eq!(
            listed,
            [
                charged(&settled, exact, 30),
                charged(&guessed, estimated, 40),
                charged(&ended, exact, 25),
                charged(&late, estimated, 20),
            ]
        );
        // Version 5 counted each charge in the totals when it was made.
        let totals = rig.store.totals_of(ann.id, day, day).await.unwrap();
        let counts = totals[0].counts;
        assert_eq!((counts.exact, counts.estimated), (Tokens(30), Tokens(40)));
        assert_eq!(rig.ask(&ann, 7).id(open.key.id).held().await.grant, open.grant);
    }
    drop(rig);
    let rig = Rig::on(SqliteStore::open(&file, options).unwrap(), clock);
    for (held, exact, difference) in [(&guessed, 41, 1), (&late, 18, -2)] {
        rig.settle(held, Charge::Exact(Tokens(exact))).await;
        let rows = rig.charges_of(&ann, held.key.id).await;
        assert_eq!(rows[1..], [(ChargeKind::Correction, difference)]);
    }
    rig.settle(&open, Charge::Exact(Tokens(6))).await;
    assert_eq!(rig.used(&ann, one).await, 120);
    assert_eq!(rig.shown(&ann, one).await.leased, Tokens::ZERO);
    has_its_record(&rig, &ann, one).await;
}

/// The file as it is when its gateway is killed: what follows is in the journal alone.
fn killed(rig: &Rig) -> (tempfile::TempDir, PathBuf) {
    let (folder, file) = folder();
    std::fs::copy(rig.folder().join("test.db"), &file).unwrap();
    std::fs::copy(rig.folder().join("test.db-wal"), file.with_extension("db-wal")).unwrap();
    (folder, file)
}

#[tokio::test]
async fn a_file_of_version_7_is_brought_up_to_date() {
    let rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let settled = rig.ask(&ann, 300).held().await;
    let open = rig.ask(&ann, 7).held().await;
    rig.settle(&settled, Charge::Exact(Tokens(30))).await;
    let (_folder, file) = killed(&rig);
    as_version_7(&Connection::open(&file).unwrap(), ann.id.0, one.0);

    let clock = clock_at(NOON);
    let options = Options { clock: reads(&clock), ..Options::default() };
    for _ in 0..2 {
        let store = SqliteStore::open(&file, options.clone()).unwrap();
        let rig = Rig::on(store, clock.clone());
        let state = rig.shown(&ann, one).await;
        assert_eq!((state.windows[0].used, state.leased), (Tokens(30), Tokens(7)));
        assert_eq!(rig.charges_of(&ann, settled.key.id).await, [(ChargeKind::Exact, 30)]);
        assert_eq!(rig.ask(&ann, 7).id(open.key.id).held().await.grant, open.grant);
    }
    let rig = Rig::on(SqliteStore::open(&file, options).unwrap(), clock);
    has_its_record(&rig, &ann, one).await;
}

#[tokio::test]
async fn records_of_version_7_go_each_in_its_time() {
    let rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let (_folder, file) = killed(&rig);
    let conn = Connection::open(&file).unwrap();
    as_version_7(&conn, ann.id.0, one.0);
    // Another call, ten days later.
    conn.execute_batch(
        "INSERT INTO records SELECT 6, user, at + 864000000, 'r6', line FROM records;
         UPDATE lists SET last = 6, count = 2, numbers = x'0a02';
         INSERT OR REPLACE INTO counters VALUES ('records', 6)",
    )
    .unwrap();
    drop(conn);
    let clock = clock_at(NOON);
    let options = Options { clock: reads(&clock), ..Options::default() };
    let rig = Rig::on(SqliteStore::open(&file, options).unwrap(), clock);
    let ids = async || {
        let listed = rig.store.records_of(ann.id, None, 9).await.unwrap();
        listed.into_iter().map(|record| record.id).collect::<Vec<_>>()
    };
    assert_eq!(ids().await, ["r6", "r5"]);
    rig.pass(Keep::default().age + Duration::from_secs(5 * 24 * 3600));
    rig.sweep().await;
    assert_eq!(ids().await, ["r6"]);
}

#[tokio::test]
async fn a_record_that_version_7_had_not_listed_is_listed_and_counted_once() {
    let rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let (_folder, file) = killed(&rig);
    let conn = Connection::open(&file).unwrap();
    as_version_7(&conn, ann.id.0, one.0);
    let more = "INSERT INTO records SELECT 6, user, at, 'r6', line FROM records";
    conn.execute(more, []).unwrap();
    drop(conn);
    let clock = clock_at(NOON);
    let options = Options { clock: reads(&clock), ..Options::default() };
    for _ in 0..3 {
        let store = SqliteStore::open(&file, options.clone()).unwrap();
        let rig = Rig::on(store, clock.clone());
        let listed = rig.store.records_on(ann.id, one, None, 9).await.unwrap();
        let ids: Vec<_> = listed.iter().map(|record| &*record.id).collect();
        assert_eq!(ids, ["r6", "r5"]);
        let day = jiff::tz::TimeZone::UTC.to_datetime(rig.now()).date();
        let totals = rig.store.totals_of(ann.id, day, day).await.unwrap();
        assert_eq!(totals.iter().map(|total| total.counts.calls).sum::<u64>(), 1);
    }
}

#[tokio::test]
async fn a_file_of_version_6_is_brought_up_to_date() {
    let rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let settled = rig.ask(&ann, 300).held().await;
    let open = rig.ask(&ann, 7).held().await;
    rig.settle(&settled, Charge::Exact(Tokens(30))).await;
    let (_folder, file) = killed(&rig);
    let conn = Connection::open(&file).unwrap();
    as_version_6(&conn, ann.id.0, one.0);
    drop(conn);

    let clock = clock_at(NOON);
    let options = Options { clock: reads(&clock), ..Options::default() };
    for _ in 0..2 {
        let store = SqliteStore::open(&file, options.clone()).unwrap();
        let rig = Rig::on(store, clock.clone());
        let state = rig.shown(&ann, one).await;
        assert_eq!((state.windows[0].used, state.leased), (Tokens(30), Tokens(7)));
        let charges = rig.charges(&ann).await;
        let charges: Vec<_> = charges.iter().map(|row| (row.lease, row.tokens)).collect();
        assert_eq!(charges, [(settled.key.id, 30)]);
        // Version 6 counted each charge in the totals when it was made.
        let day = jiff::tz::TimeZone::UTC.to_datetime(rig.now()).date();
        assert_eq!(rig.store.totals_of(ann.id, day, day).await.unwrap(), []);
        assert_eq!(rig.ask(&ann, 7).id(open.key.id).held().await.grant, open.grant);
    }
    let rig = Rig::on(SqliteStore::open(&file, options).unwrap(), clock);
    has_its_record(&rig, &ann, one).await;
    drop(rig);
    let conn = Connection::open(&file).unwrap();
    let last = "SELECT max(seq) FROM records";
    assert_eq!(conn.query_row(last, [], |row| row.get::<_, i64>(0)).unwrap(), 7);
}

#[tokio::test]
async fn a_file_whose_disk_is_too_full_to_bring_it_up_to_date_stays_as_it_was() {
    let (_folder, file) = folder();
    let clock = clock_at(NOON);
    let options = Options { clock: reads(&clock), ..Options::default() };
    let rig = Rig::on(SqliteStore::open(&file, options.clone()).unwrap(), clock.clone());
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    drop(rig);
    let conn = Connection::open(&file).unwrap();
    as_version_6(&conn, ann.id.0, one.0);
    let more = "INSERT INTO records SELECT NULL, 0, at, 'of nobody', token, model, streamed, input,
        cache_read, cache_write, output, reasoning, estimated, took_ms, first_byte_ms, billing,
        points, outcome, attempts FROM records WHERE seq = 5";
    (0..400).for_each(|_| _ = conn.execute(more, []).unwrap());
    let has: u32 = conn.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    drop(conn);

    let before = std::fs::read(&file).unwrap();
    let mut refused = 0;
    let store = loop {
        let options = Options { max_pages: Some(has + 4 * refused), ..options.clone() };
        let full = match SqliteStore::open(&file, options) {
            Ok(store) => break store,
            Err(error) => error.to_string(),
        };
        refused += 1;
        let told = format!("the disk is full: {} has format 6", file.display());
        assert!(full.starts_with(&told) && full.contains("up to 1 MB beside it"), "{full}");
        assert!(std::fs::read(&file).unwrap() == before, "with {refused} times 4 pages");
        assert!(!file.with_extension("db-wal").exists());
        // What whoever came meanwhile was told.
        let holder = std::fs::read_to_string(file.with_extension("db.lock")).unwrap();
        assert!(holder.ends_with(", which brings it from format 6 to 8"), "{holder}");
    };
    assert!(refused > 3, "{refused}");
    let holder = std::fs::read_to_string(file.with_extension("db.lock")).unwrap();
    assert_eq!(holder, format!("process {}", std::process::id()));
    has_its_record(&Rig::on(store, clock), &ann, one).await;
}

#[tokio::test]
async fn a_file_of_another_version_is_left_alone() {
    let (_folder, file) = folder();
    drop(open(&file).unwrap());
    let conn = Connection::open(&file).unwrap();
    for (version, age) in [(99, "a newer"), (1, "an older")] {
        conn.pragma_update(None, "user_version", version).unwrap();
        let refused = open(&file).err().unwrap().to_string();
        let told = format!("written by {age} version (its format is {version}");
        assert!(refused.contains(&told), "{refused}");
    }
}

#[tokio::test]
async fn a_file_from_before_there_were_identities_gets_their_tables() {
    let (_folder, file) = folder();
    let clock = clock_at(NOON);
    let options = Options { clock: reads(&clock), ..Options::default() };
    let rig = Rig::on(SqliteStore::open(&file, options.clone()).unwrap(), clock.clone());
    let ann = rig.user().await;
    drop(rig);
    let conn = Connection::open(&file).unwrap();
    as_version_5(&conn, 0, &[], 0);
    conn.execute_batch("DROP TABLE identities; DROP TABLE sessions; DROP TABLE links").unwrap();
    conn.pragma_update(None, "user_version", 4).unwrap();
    drop(conn);

    let rig = Rig::on(SqliteStore::open(&file, options).unwrap(), clock);
    assert_eq!(rig.store.users().await.unwrap(), std::slice::from_ref(&ann));
    let given = Identity { epoch: 1, ..Identity::default() };
    assert!(rig.store.set_identity(ann.id, &ann.identity, given).await.unwrap());
    drop(rig);
    let conn = Connection::open(&file).unwrap();
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 8);
}

#[tokio::test]
async fn a_file_of_version_3_is_brought_up_to_date() {
    let (_folder, file) = folder();
    let clock = clock_at(NOON);
    let options = Options { clock: reads(&clock), ..Options::default() };
    let rig = Rig::on(SqliteStore::open(&file, options.clone()).unwrap(), clock.clone());
    let ann = rig.user().await;
    rig.account(&ann, 1000).await;
    let charged = rig.ask(&ann, 50).held().await;
    rig.pass_secs(120);
    assert_eq!(rig.sweep().await, 1);
    let open = rig.ask(&ann, 40).held().await;
    let now = rig.now().as_millisecond();
    drop(rig);
    let conn = Connection::open(&file).unwrap();
    as_version_5(&conn, now, &[Old(&charged, 2, 50, true)], 1);
    for table in ["leases", "charges"] {
        for column in ["token", "model"] {
            conn.execute(&format!("ALTER TABLE {table} DROP COLUMN {column}"), []).unwrap();
        }
    }
    // As the first of that version were; and what a deadline charged was not in the totals.
    conn.execute_batch("DROP INDEX accounts_of_records; DELETE FROM totals").unwrap();
    conn.pragma_update(None, "user_version", 3).unwrap();
    drop(conn);

    let rig = Rig::on(SqliteStore::open(&file, options).unwrap(), clock);
    for late in [&charged, &open] {
        rig.settle(late, Charge::Exact(Tokens(7))).await;
    }
    let kept = [(ChargeKind::Estimated, 50)];
    assert_eq!(rig.charges_of(&ann, charged.key.id).await, kept);
    let day = jiff::tz::TimeZone::UTC.to_datetime(rig.now()).date();
    let totals = rig.store.totals_of(ann.id, day, day).await.unwrap();
    let sums: Vec<_> = totals.iter().map(|it| (it.counts.exact, it.counts.estimated)).collect();
    assert_eq!(sums, [(Tokens(7), Tokens::ZERO)]);
}

#[tokio::test]
async fn a_file_of_version_4_is_brought_up_to_date() {
    let (_folder, file) = folder();
    let ann = open(&file).unwrap().add_user("ann").await.unwrap();
    let conn = Connection::open(&file).unwrap();
    as_version_5(&conn, 0, &[], 0);
    conn.execute_batch("DROP TABLE audit; DROP TABLE audit_of").unwrap();
    conn.pragma_update(None, "user_version", 4).unwrap();
    drop(conn);
    let store = open(&file).unwrap();
    assert_eq!(store.users().await.unwrap(), [ann]);
    assert_eq!(store.audit_of(None, None, 9).await.unwrap(), []);
    drop(store);
    let conn = Connection::open(&file).unwrap();
    let version = conn.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    assert_eq!(version.unwrap(), 8);
}

#[tokio::test]
async fn a_file_from_before_there_were_policies_gets_them() {
    let (_folder, file) = folder();
    let rig = Rig::on(open(&file).unwrap(), clock_at(NOON));
    let ann = rig.user().await;
    rig.account(&ann, 1000).await;
    drop(rig);
    let conn = Connection::open(&file).unwrap();
    conn.execute_batch("DROP TABLE policies; DROP TABLE priorities;").unwrap();
    drop(conn);
    let rig = Rig::on(open(&file).unwrap(), clock_at(NOON));
    rig.set_policy(&ann, Policy::Sticky).await;
    let states = rig.store.accounts_in(&[ann.pool], &rig.resets()).await.unwrap();
    assert_eq!(states[0].priority, Priority::default());
}
