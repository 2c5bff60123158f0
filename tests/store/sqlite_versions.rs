//! Files of older versions, brought up to date; what those wrote is made by SQL.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};
use tributary::accounts::{Charge, ChargeKind, Identity, Policy, Priority, Tokens};
use tributary::store::sqlite::{Options, SqliteStore};
use tributary::store::{AuditLog, Directory, StoreError};

use crate::rig::{Held, NOON, Rig, clock_at, reads};

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

/// Makes a file what version 5 would have left, with these charges, of which so many were folded.
fn as_version_5(conn: &Connection, now: i64, charges: &[Old<'_>], folded: usize) {
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
    assert_eq!(version, 6);
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
    drop(rig);
    let conn = Connection::open(&file).unwrap();
    let known = "SELECT count(*) FROM sqlite_schema WHERE name = 'accounts_of_records'";
    assert_eq!(conn.query_row(known, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
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
    assert_eq!(version.unwrap(), 6);
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
