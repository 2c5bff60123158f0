//! The audit log: rows are added at the end alone, whoever adds, and what was changed
//! behind the gateway's back is found.

use std::time::Duration;

use tributary::accounts::{AuditRow, Deed, Doer, TokenId, UserId};
use tributary::store::{AuditLog, Chain, ChainFault, Keep, Store, check_chain, write_down};
use tributary::vault::{KeyRing, Vault};

use crate::contract;
use crate::rig::{Rig, Server, Wish, cli};

/// A ring with these keys, the first of which writes.
fn vault(kids: &[&str]) -> Vault {
    let key = |kid: &&str| format!("{kid}:{}", KEYS[usize::from(**kid == *"new")]);
    let text = kids.iter().map(key).collect::<Vec<_>>().join(",");
    Vault::new(&KeyRing::parse(&text).unwrap())
}

const KEYS: [&str; 2] = [
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",
];

fn deed(number: u64) -> Deed {
    let doer = Doer::token(UserId(2), TokenId(9));
    Deed::new(doer, "account.bind", "account", number).of(UserId(1)).with("name", "a \"name\"")
}

async fn write(rig: &Rig, deed: Deed) {
    write_down(&*rig.store, &vault(&["old"]), deed).await.unwrap();
}

async fn checked(store: &dyn Store, kids: &[&str]) -> Chain {
    check_chain(store, &vault(kids), None, None).await.unwrap()
}

fn numbers(rows: &[AuditRow]) -> Vec<i64> {
    rows.iter().map(|row| row.seq).collect()
}

contract! {
    async fn a_row_says_who_did_what_and_when(rig: Rig) {
        write(&rig, deed(5)).await;
        rig.pass_secs(60);
        write(&rig, Deed::new(Doer::OPERATOR, "user.add", "user", 3)).await;
        let rows = rig.store.audit_of(None, None, 10).await.unwrap();
        assert_eq!(numbers(&rows), [2, 1]);
        assert_eq!(rows[1].deed, deed(5));
        assert_eq!(rows[0].at, rig.now());
        assert_eq!(rows[0].at.as_second() - rows[1].at.as_second(), 60);
        assert_eq!(rows[0].before, rows[1].mac);
        let chain = checked(&*rig.store, &["old"]).await;
        assert_eq!((chain.rows, chain.faults, chain.unproved), (2, vec![], 0));
        assert_eq!(chain.last, Some((2, rows[0].mac.clone())));
    }
}

contract! {
    async fn a_row_shows_in_the_logs_of_its_owner_and_its_doer_page_by_page(rig: Rig) {
        for number in 1..=6 {
            write(&rig, deed(number)).await;
            write(&rig, Deed::new(Doer::OPERATOR, "user.add", "user", number)).await;
        }
        for reader in [UserId(1), UserId(2)] {
            let own = async |before, limit| {
                numbers(&rig.store.audit_of(Some(reader), before, limit).await.unwrap())
            };
            assert_eq!(own(None, 4).await, [11, 9, 7, 5]);
            assert_eq!(own(Some(5), 4).await, [3, 1]);
            assert_eq!(own(Some(0), 4).await, [0; 0]);
        }
        assert_eq!(rig.store.audit_of(Some(UserId(3)), None, 4).await.unwrap(), []);
        let after = rig.store.audit_after(9, 2).await.unwrap();
        assert_eq!(numbers(&after), [10, 11]);
    }
}

contract! {
    async fn rows_written_at_once_make_one_chain(rig: Rig) {
        let crowd = (0..40).map(|number| write(&rig, deed(number)));
        futures_util::future::join_all(crowd).await;
        let chain = checked(&*rig.store, &["old"]).await;
        assert_eq!((chain.rows, chain.faults), (40, vec![]));
        let mut ids: Vec<u64> = (rig.store.audit_of(None, None, 100).await.unwrap().iter())
            .map(|row| row.deed.id.parse().unwrap())
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, Vec::from_iter(0..40));
    }
}

contract! {
    async fn a_row_is_taken_as_the_next_alone_and_once(rig: Rig) {
        write(&rig, deed(1)).await;
        let last = rig.store.audit_of(None, None, 1).await.unwrap().remove(0);
        // Given again, because its answer got lost.
        assert!(rig.store.add_audit(last.clone()).await.unwrap());
        for (seq, before) in [(1, ""), (2, ""), (3, &*last.mac)] {
            let row = AuditRow { seq, before: before.into(), mac: "old.x".into(), ..last.clone() };
            assert!(!rig.store.add_audit(row).await.unwrap(), "{seq} after {before}");
        }
        assert_eq!(rig.store.audit_of(None, None, 9).await.unwrap(), [last]);
    }
}

contract! {
    async fn a_range_is_checked_under_another_key_too(rig: Rig) {
        for number in 1..=4 {
            write(&rig, deed(number)).await;
        }
        write_down(&*rig.store, &vault(&["new", "old"]), deed(5)).await.unwrap();
        let chain = checked(&*rig.store, &["new", "old"]).await;
        assert_eq!((chain.rows, chain.faults, chain.unproved), (5, vec![], 0));
        // The old key has left the ring: its rows are vouched for by the one behind them.
        let chain = checked(&*rig.store, &["new"]).await;
        assert_eq!((chain.rows, chain.faults, chain.unproved), (5, vec![], 4));
        let part = check_chain(&*rig.store, &vault(&["old"]), Some(2), Some(3)).await.unwrap();
        assert_eq!((part.rows, part.faults), (2, vec![]));
        assert_eq!((part.first.unwrap().0, part.last.unwrap().0), (2, 3));
    }
}

contract! {
    #[wish(Wish { keep: Keep { audit: Duration::from_secs(3600), ..Keep::default() } })]
    async fn old_rows_go_and_what_stays_is_whole(rig: Rig) {
        for number in 1..=3 {
            write(&rig, deed(number)).await;
        }
        rig.pass_secs(3000);
        write(&rig, deed(4)).await;
        rig.pass_secs(1000);
        rig.sweep().await;
        let chain = checked(&*rig.store, &["old"]).await;
        assert_eq!((chain.rows, chain.faults), (1, vec![]));
        assert_eq!(chain.first.unwrap().0, 4);
        for reader in [None, Some(UserId(1)), Some(UserId(2))] {
            assert_eq!(numbers(&rig.store.audit_of(reader, None, 9).await.unwrap()), [4]);
        }
        // The next one follows it.
        write(&rig, deed(5)).await;
        let chain = checked(&*rig.store, &["old"]).await;
        assert_eq!((chain.rows, chain.faults), (2, vec![]));
    }
}

contract! {
    #[wish(Wish { keep: Keep { audit: Duration::ZERO, ..Keep::default() } })]
    async fn the_newest_row_stays_however_old(rig: Rig) {
        for number in 1..=2 {
            write(&rig, deed(number)).await;
        }
        rig.pass_secs(7200);
        rig.sweep().await;
        assert_eq!(numbers(&rig.store.audit_of(None, None, 9).await.unwrap()), [2]);
    }
}

#[tokio::test]
async fn the_log_goes_on_after_a_crash() {
    let mut rig = Rig::sqlite(Wish::default());
    write(&rig, deed(1)).await;
    rig.crash();
    write(&rig, deed(2)).await;
    let chain = checked(&*rig.store, &["old"]).await;
    assert_eq!((chain.rows, chain.faults), (2, vec![]));
}

/// What was done to a log of five rows, and what a check must find.
fn edits() -> [(&'static str, Vec<ChainFault>); 4] {
    [
        ("details", vec![ChainFault::Changed { seq: 3 }]),
        ("taken out", vec![ChainFault::Gap { after: 2, before: 4 }]),
        // A row of the same log in another place.
        ("swapped", vec![ChainFault::Unlinked { seq: 2 }, ChainFault::Unlinked { seq: 3 }]),
        ("other key", vec![ChainFault::Unlinked { seq: 4 }]),
    ]
}

/// The third row of five after an edit; `None`: it is gone.
fn edited(edit: &str, rows: &[AuditRow]) -> Option<AuditRow> {
    let mut row = rows[2].clone();
    match edit {
        "details" => _ = row.deed.details.insert("name".into(), "another".into()),
        "taken out" => return None,
        "other key" => row.mac = row.mac.replace("old.", "gone."),
        _ => unreachable!(),
    }
    Some(row)
}

#[tokio::test]
async fn an_edited_file_is_found_out() {
    for (edit, expected) in edits() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.db");
        let open =
            || tributary::store::sqlite::SqliteStore::open(&file, Default::default()).unwrap();
        let store = open();
        for number in 1..=5 {
            write_down(&store, &vault(&["old"]), deed(number)).await.unwrap();
        }
        let mut rows = store.audit_of(None, None, 9).await.unwrap();
        rows.reverse();
        drop(store);
        let conn = rusqlite::Connection::open(&file).unwrap();
        let put = |seq: i64, row: &AuditRow| {
            let json = serde_json::to_string(row).unwrap();
            let sql = "UPDATE audit SET row = ? WHERE seq = ?";
            assert_eq!(conn.execute(sql, rusqlite::params![json, seq]).unwrap(), 1);
        };
        if edit == "swapped" {
            put(2, &AuditRow { seq: 2, ..rows[2].clone() });
            put(3, &AuditRow { seq: 3, ..rows[1].clone() });
        } else if let Some(row) = edited(edit, &rows) {
            put(3, &row);
        } else {
            conn.execute("DELETE FROM audit WHERE seq = 3", []).unwrap();
        }
        found(edit, &expected, &checked(&open(), &["old"]).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_redis_is_found_out() {
    let server = Server::shared();
    for (edit, expected) in edits() {
        let url = server.fresh_url();
        let rig = Rig::on_url(&url, Wish::default()).await;
        for number in 1..=5 {
            write(&rig, deed(number)).await;
        }
        let mut rows = rig.store.audit_of(None, None, 9).await.unwrap();
        rows.reverse();
        let database = url.rsplit('/').next().unwrap();
        let run = |words: &[&str]| cli(server.port(), &[&["-n", database], words].concat());
        let put = |seq: i64, row: &AuditRow| {
            let json = serde_json::to_string(row).unwrap();
            let member = format!("{} {} {json}", row.mac, row.at.as_millisecond());
            run(&["ZREMRANGEBYSCORE", "{au}:log", &seq.to_string(), &seq.to_string()]);
            run(&["ZADD", "{au}:log", &seq.to_string(), &member]);
        };
        if edit == "swapped" {
            put(2, &AuditRow { seq: 2, ..rows[2].clone() });
            put(3, &AuditRow { seq: 3, ..rows[1].clone() });
        } else if let Some(row) = edited(edit, &rows) {
            put(3, &row);
        } else {
            run(&["ZREMRANGEBYSCORE", "{au}:log", "3", "3"]);
        }
        found(edit, &expected, &checked(&*rig.store, &["old"]).await);
    }
}

/// All that was expected is found; a swap changes both rows, too.
fn found(edit: &str, expected: &[ChainFault], chain: &Chain) {
    for fault in expected {
        assert!(chain.faults.contains(fault), "{edit}: {fault} is not in {:?}", chain.faults);
    }
    assert!(!expected.is_empty() && chain.faults.len() <= 5, "{edit}: {:?}", chain.faults);
}
