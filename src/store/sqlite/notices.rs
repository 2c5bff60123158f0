//! Notices: their verbs, and their rows in the file. What waits to be sent lies in the books.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::accounts::{Channel, Delivery, NewNotice, Notice, PoolId, UserId};

use super::super::notices::{MOST_WAITING, Reading};
use super::super::{Answer, NoticeBoard};
use super::SqliteStore;
use super::books::{Books, Counter, Ms, Note};
use super::file::failure;
use super::load::{each, get};
use super::rows;

/// What waits to be sent: when next, and how often it was tried.
pub(super) type Waiting = BTreeMap<(Channel, i64), (Ms, u32)>;

/// A change of the board.
pub(super) enum BoardNote {
    /// A notice, and the keys that it takes.
    Posted(Box<Notice>, Vec<String>),
    /// A user has read one.
    Read(UserId, i64),
    /// One is to be sent then; `None`: no more.
    Send(Channel, i64, Option<(Ms, u32)>),
}

#[async_trait]
impl NoticeBoard for SqliteStore {
    async fn post_notice(&self, new: NewNotice, channels: &[Channel]) -> Answer<Option<Notice>> {
        // One process has the file: between the look and the commit nobody else posts.
        let _alone = self.posting.lock().await;
        let key = new.key.clone();
        if self.look(move |conn| is_taken(conn, &key)).await? {
            return Ok(None);
        }
        self.desk.write(|books, now| Some(books.post(&new, channels, now))).await
    }

    async fn notices_in(
        &self,
        pools: &[PoolId],
        reader: UserId,
        reading: Reading,
        before: Option<i64>,
        limit: usize,
    ) -> Answer<Vec<(Notice, bool)>> {
        let pools = listed(pools);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (before, unread) = (before.unwrap_or(i64::MAX), reading == Reading::Unread);
        self.look(move |conn| {
            let sql = format!(
                "SELECT row, EXISTS (SELECT 1 FROM notices_read r
                                     WHERE r.user = ?1 AND r.notice = n.seq) AS read
                 FROM notices n
                 WHERE pool IN ({pools}) AND seq < ?2 AND (NOT ?3 OR NOT read)
                 ORDER BY seq DESC LIMIT ?4"
            );
            let mut find = conn.prepare_cached(&sql).map_err(failure)?;
            let mut found =
                find.query(params![reader.0, before, unread, limit]).map_err(failure)?;
            let mut all = Vec::new();
            while let Some(row) = found.next().map_err(failure)? {
                all.push((rows::json("notice", &get::<String>(row, 0)?)?, get(row, 1)?));
            }
            Ok(all)
        })
        .await
    }

    async fn read_notice(&self, pools: &[PoolId], reader: UserId, id: i64) -> Answer<bool> {
        let pools = listed(pools);
        let is_there = move |conn: &Connection| {
            let sql = format!(
                "SELECT EXISTS (SELECT 1 FROM notices WHERE seq = ? AND pool IN ({pools}))"
            );
            conn.query_row(&sql, [id], |row| row.get(0)).map_err(failure)
        };
        if !self.look(is_there).await? {
            return Ok(false);
        }
        self.desk
            .write(|books, _| {
                books.note(Note::Board(BoardNote::Read(reader, id)));
                true
            })
            .await
    }

    async fn claim_notices(
        &self,
        channel: Channel,
        limit: usize,
        life: Duration,
    ) -> Answer<Vec<Delivery>> {
        let life = i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
        // Nearly always: nothing is to be sent, and nothing is to be committed.
        let is_due = |books: &Books, now: Timestamp| {
            let now = now.as_millisecond();
            let own = books.people.waiting.range((channel, i64::MIN)..=(channel, i64::MAX));
            own.clone().any(|(_, (due, _))| *due <= now)
        };
        if !self.desk.read(is_due)? {
            return Ok(Vec::new());
        }
        let claimed = self
            .desk
            .write(|books, now| books.claim(channel, limit, now.as_millisecond(), life))
            .await?;
        let (found, lost) = self.look(move |conn| deliveries(conn, claimed)).await?;
        for id in lost {
            // Its account was removed meanwhile.
            self.end_delivery(channel, id, None).await?;
        }
        Ok(found)
    }

    async fn end_delivery(&self, channel: Channel, id: i64, again: Option<Duration>) -> Answer<()> {
        let again = again.map(|again| i64::try_from(again.as_millis()).unwrap_or(i64::MAX));
        self.desk
            .write(|books, now| {
                let Some((_, tries)) = books.people.waiting.get(&(channel, id)) else { return };
                let tries = *tries;
                let next = again.map(|again| (now.as_millisecond().saturating_add(again), tries));
                books.send(channel, id, next);
            })
            .await
    }

    async fn pools_of_accounts(&self) -> Answer<Vec<PoolId>> {
        self.desk.read(|books, _| books.pools_of_accounts())
    }
}

impl Books {
    fn post(&mut self, new: &NewNotice, channels: &[Channel], now: Timestamp) -> Notice {
        let id = self.next_id(Counter::Notice);
        let ms = now.as_millisecond();
        let notice = new.posted(id, Timestamp::from_millisecond(ms).unwrap_or(now));
        let keys = std::iter::once(&new.key).chain(&new.instead_of).cloned().collect();
        self.note(Note::Board(BoardNote::Posted(Box::new(notice.clone()), keys)));
        for channel in channels {
            self.send(*channel, id, Some((ms, 0)));
            let own = (*channel, i64::MIN)..=(*channel, i64::MAX);
            if self.people.waiting.range(own.clone()).count() > MOST_WAITING
                && let Some(oldest) = self.people.waiting.range(own).next().map(|(key, _)| key.1)
            {
                self.send(*channel, oldest, None);
            }
        }
        notice
    }

    /// Notes when a notice is to be sent; `None`: no more.
    fn send(&mut self, channel: Channel, id: i64, next: Option<(Ms, u32)>) {
        match next {
            Some(next) => _ = self.people.waiting.insert((channel, id), next),
            None => _ = self.people.waiting.remove(&(channel, id)),
        }
        self.note(Note::Board(BoardNote::Send(channel, id, next)));
    }

    fn claim(&mut self, channel: Channel, limit: usize, now: Ms, life: Ms) -> Vec<(i64, u32)> {
        let own = self.people.waiting.range((channel, i64::MIN)..=(channel, i64::MAX));
        let due = own.filter(|(_, (due, _))| *due <= now).take(limit);
        let due: Vec<(i64, u32)> = due.map(|(key, (_, tries))| (key.1, tries + 1)).collect();
        for (id, tries) in &due {
            self.send(channel, *id, Some((now.saturating_add(life), *tries)));
        }
        due
    }
}

/// Writes a change.
pub(super) fn write(conn: &Connection, note: &BoardNote) -> Answer<()> {
    let once = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        let done = conn.prepare_cached(sql).and_then(|mut one| one.execute(params));
        done.map(drop).map_err(failure)
    };
    match note {
        BoardNote::Posted(notice, keys) => {
            let (at, row) = (notice.at.as_millisecond(), rows::to_json("notice", &**notice)?);
            let (pool, account) = (notice.pool.0, notice.account.0);
            let sql = "INSERT INTO notices VALUES (?, ?, ?, ?, ?)";
            once(sql, &[&notice.id, &at, &pool, &account, &row])?;
            for key in keys {
                once("INSERT OR IGNORE INTO notice_keys VALUES (?, ?)", &[key, &notice.id])?;
            }
            Ok(())
        }
        BoardNote::Read(user, id) => {
            once("INSERT OR IGNORE INTO notices_read VALUES (?, ?)", &[&user.0, id])
        }
        BoardNote::Send(channel, id, Some((due, tries))) => {
            let sql = "INSERT OR REPLACE INTO notices_to_send VALUES (?, ?, ?, ?)";
            once(sql, &[&channel.name(), id, due, tries])
        }
        BoardNote::Send(channel, id, None) => {
            let sql = "DELETE FROM notices_to_send WHERE channel = ? AND notice = ?";
            once(sql, &[&channel.name(), id])
        }
    }
}

/// Reads what waits to be sent.
pub(super) fn load(conn: &Connection, books: &mut Books) -> Answer<()> {
    each(conn, "SELECT channel, notice, due, tries FROM notices_to_send", |row| {
        let name: String = get(row, 0)?;
        if let Some(channel) = Channel::ALL.into_iter().find(|known| known.name() == name) {
            books.people.waiting.insert((channel, get(row, 1)?), (get(row, 2)?, get(row, 3)?));
        }
        Ok(())
    })
}

fn is_taken(conn: &Connection, key: &str) -> Answer<bool> {
    conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM notice_keys WHERE key = ?)")
        .and_then(|mut find| find.query_row([key], |row| row.get(0)))
        .map_err(failure)
}

/// Those of the claimed that are there, and the others.
fn deliveries(conn: &Connection, claimed: Vec<(i64, u32)>) -> Answer<(Vec<Delivery>, Vec<i64>)> {
    let (mut found, mut lost) = (Vec::new(), Vec::new());
    for (id, tries) in claimed {
        let sql = "SELECT row FROM notices WHERE seq = ?";
        let row = conn.query_row(sql, [id], |row| row.get::<_, String>(0));
        match rusqlite::OptionalExtension::optional(row).map_err(failure)? {
            Some(json) => found.push(Delivery { notice: rows::json("notice", &json)?, tries }),
            None => lost.push(id),
        }
    }
    Ok((found, lost))
}

/// Ids as SQL lists them.
fn listed(pools: &[PoolId]) -> String {
    pools.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
