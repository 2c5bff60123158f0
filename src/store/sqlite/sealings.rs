//! What lies under the keys of the ring. Accounts and counts lie in the books, kept bodies
//! in the file alone.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rusqlite::{Connection, params};

use crate::accounts::{
    AccountId, AccountState, KeptBodies, KeptPage, KeptRow, Resets, Rewrap, UserId,
};
use crate::vault::sealed_kid;

use super::super::{Answer, Sealings, StoreError};
use super::file::failure;
use super::load::get;
use super::records::{Line, Row};
use super::{SqliteStore, rows};

/// How many kept bodies a page looks at, and how many bytes of them it answers.
const A_PAGE: i64 = 500;
const MOST_BYTES: usize = 4 << 20;

#[async_trait]
impl Sealings for SqliteStore {
    async fn accounts_after(
        &self,
        after: Option<AccountId>,
        limit: usize,
        resets: &Resets,
    ) -> Answer<Vec<AccountState>> {
        self.desk.read(|books, now| books.accounts_after(after, limit, now, resets))
    }

    async fn rewrap(&self, batch: Vec<Rewrap>) -> Answer<Vec<bool>> {
        self.desk.write(|books, _| batch.iter().map(|one| books.rewrap(one)).collect()).await
    }

    async fn kept_bodies(&self, besides: Option<&str>, after: Option<&str>) -> Answer<KeptPage> {
        // Records that wait for their commit are counted, too.
        self.desk.write(|_, _| ()).await?;
        let (besides, after) = (besides.map(str::to_owned), after.map(str::to_owned));
        self.look(move |conn| page(conn, besides.as_deref(), after.as_deref())).await
    }

    async fn reseal_bodies(&self, kid: &str, batch: Vec<KeptRow>) -> Answer<()> {
        self.desk.write(|books, _| books.reseal(kid, batch)).await
    }

    async fn count_seals(&self, kid: &str, seals: u64) -> Answer<u64> {
        self.desk.write(|books, _| books.count_seals(kid, seals)).await
    }

    async fn seals(&self) -> Answer<BTreeMap<String, u64>> {
        self.desk.read(|books, _| {
            books.people.seals.iter().map(|(kid, seals)| (kid.to_string(), *seals)).collect()
        })
    }

    async fn canaries(&self) -> Answer<Vec<String>> {
        self.desk.read(|books, _| books.people.canaries.clone())
    }

    async fn add_canary(&self, canary: &str) -> Answer<()> {
        self.desk.write(|books, _| books.add_canary(canary)).await
    }

    async fn remove_canary(&self, canary: &str) -> Answer<()> {
        self.desk.write(|books, _| books.remove_canary(canary)).await
    }
}

fn number(cursor: &str) -> Answer<i64> {
    cursor
        .parse()
        .map_err(|_| StoreError::Corrupt { what: "cursor", why: "it is no number".into() })
}

fn page(conn: &Connection, besides: Option<&str>, after: Option<&str>) -> Answer<KeptPage> {
    let mut find = conn
        .prepare_cached(
            "SELECT record, bodies FROM bodies WHERE record > ? ORDER BY record LIMIT ?",
        )
        .map_err(failure)?;
    let mut found = find
        .query(params![after.map(number).transpose()?.unwrap_or_default(), A_PAGE])
        .map_err(failure)?;
    let (mut page, mut looked_at, mut bytes) = (KeptPage::default(), 0, 0);
    let mut records = Row::new();
    while let Some(row) = found.next().map_err(failure)? {
        let number: i64 = get(row, 0)?;
        let (at, json) = (number.to_string(), get::<String>(row, 1)?);
        let bodies: KeptBodies = rows::json("bodies", &json)?;
        let kid = sealed_kid(&bodies.request).map(|kid| kid.to_string()).unwrap_or_default();
        *page.under.entry(kid.clone()).or_default() += 1;
        looked_at += 1;
        if besides.is_some_and(|besides| besides != kid) {
            bytes += json.len();
            let whose = |line: Line<'_>| Ok((UserId(line.user), line.id.to_owned()));
            if let Some((user, record)) = records.take(conn, number, whose)? {
                page.others.push(KeptRow { at: at.clone(), user, record, bodies });
            }
        }
        if looked_at == A_PAGE || bytes >= MOST_BYTES {
            page.next = Some(at);
            break;
        }
    }
    Ok(page)
}

/// Puts others in the place of kept bodies, where the key has sealed those that are there.
pub(super) fn reseal(conn: &Connection, kid: &str, row: &KeptRow) -> Answer<()> {
    let before = KeptBodies::beginning(kid);
    let (json, at) = (rows::to_json("bodies", &row.bodies)?, number(&row.at)?);
    conn.prepare_cached(
        "UPDATE bodies SET bodies = ?1 WHERE record = ?2 AND substr(bodies, 1, length(?3)) = ?3",
    )
    .and_then(|mut update| update.execute(params![json, at, before]))
    .map(drop)
    .map_err(failure)
}
