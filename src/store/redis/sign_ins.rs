//! Sessions, links and tries.
//!
//! A session lies under its index, and its id in a hash of its user's. It is added to the hash
//! first and taken from it last: one that grants is always listed.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use crate::accounts::{AttemptKey, Attempts, LinkPurpose, LinkRow, SessionRow, UserId};

use super::super::{Answer, MOST_SESSIONS, SignIns};
use super::{RedisStore, from_json, instant, keys, to_json};

#[async_trait]
impl SignIns for RedisStore {
    async fn add_session(&self, row: SessionRow) -> Answer<()> {
        let (user, now) = (row.grant.user, self.now().await?);
        let mut own = self.sessions_of(user).await?;
        own.sort_by_key(|row| row.used_at);
        let ended = own.extract_if(.., |row| row.grant.ends_at <= now).collect::<Vec<_>>();
        let too_many = (own.len() + 1).saturating_sub(MOST_SESSIONS);
        for gone in ended.into_iter().chain(own.into_iter().take(too_many)) {
            self.end_session(user, &gone.grant.id).await?;
        }
        let list = keys::sessions_of(user);
        let listed = redis::cmd("HSET").arg(&list).arg(&row.grant.id).arg(&row.index).take();
        self.link.ask::<()>(&listed).await?;
        let (key, json) = (keys::session(&row.index), to_json("session", &row)?);
        let set = redis::cmd("HSET").arg(&key).arg("row").arg(json).take();
        self.link.ask::<()>(&set).await?;
        let life = row.grant.ends_at.as_millisecond() - now.as_millisecond();
        self.link.ask(&redis::cmd("PEXPIRE").arg(key).arg(life.max(1)).take()).await
    }

    async fn session(&self, index: &str) -> Answer<Option<SessionRow>> {
        let key = keys::session(index);
        let row = redis::cmd("HMGET").arg(key).arg("row").arg("used_at").take();
        let (row, used_at): (Option<String>, Option<i64>) = self.link.ask(&row).await?;
        let Some(row) = row else { return Ok(None) };
        let row: SessionRow = from_json("session", &row)?;
        match used_at.map(|ms| instant("session", ms)).transpose()?.flatten() {
            Some(used_at) => Ok(Some(SessionRow { used_at, ..row })),
            None => Ok(Some(row)),
        }
    }

    async fn touch_session(&self, index: &str, at: Timestamp) -> Answer<()> {
        let mut call = self.scripts.touch.call(&[keys::session(index)]);
        call.arg(at.as_millisecond());
        self.scripts.touch.run(&self.link, &call).await
    }

    async fn sessions_of(&self, user: UserId) -> Answer<Vec<SessionRow>> {
        let list = redis::cmd("HGETALL").arg(keys::sessions_of(user)).take();
        let list: HashMap<String, String> = self.link.ask(&list).await?;
        let found = try_join_all(list.iter().map(async |(id, index)| {
            let row = self.session(index).await?;
            if row.is_none() {
                // It ended by itself.
                let gone = redis::cmd("HDEL").arg(keys::sessions_of(user)).arg(id).take();
                self.link.ask::<()>(&gone).await?;
            }
            Ok(row)
        }));
        let mut rows: Vec<SessionRow> = found.await?.into_iter().flatten().collect();
        rows.sort_by(|a, b| {
            let key = |row: &SessionRow| (row.grant.created_at, row.grant.id.clone());
            key(a).cmp(&key(b))
        });
        Ok(rows)
    }

    async fn end_session(&self, user: UserId, id: &str) -> Answer<bool> {
        let index = redis::cmd("HGET").arg(keys::sessions_of(user)).arg(id).take();
        let index: Option<String> = self.link.ask(&index).await?;
        let Some(index) = index else { return Ok(false) };
        let was = redis::cmd("DEL").arg(keys::session(&index)).take();
        let was: bool = self.link.ask(&was).await?;
        let gone = redis::cmd("HDEL").arg(keys::sessions_of(user)).arg(id).take();
        self.link.ask::<()>(&gone).await?;
        Ok(was)
    }

    async fn keep_link(&self, row: LinkRow) -> Answer<()> {
        let (slot, json) = (row.purpose.slot(), to_json("link", &row)?);
        self.link.ask(&redis::cmd("HSET").arg(keys::LINKS).arg(slot).arg(json).take()).await
    }

    async fn link(&self, purpose: LinkPurpose) -> Answer<Option<LinkRow>> {
        let row = redis::cmd("HGET").arg(keys::LINKS).arg(purpose.slot()).take();
        let row: Option<String> = self.link.ask(&row).await?;
        row.map(|row| from_json("link", &row)).transpose()
    }

    async fn take_link(&self, row: &LinkRow) -> Answer<bool> {
        let mut call = self.scripts.take_field.call(&[keys::LINKS]);
        call.arg(row.purpose.slot()).arg(to_json("link", row)?);
        self.scripts.take_field.run_once(&self.link, &call).await
    }

    async fn try_sign_in(&self, key: &AttemptKey) -> Answer<Result<(), Duration>> {
        let wait = self.tried(key, 0).await?;
        Ok(if wait == 0 { Ok(()) } else { Err(Duration::from_millis(wait)) })
    }

    async fn signed_in(&self, key: &AttemptKey) -> Answer<()> {
        self.tried(key, 1).await.map(drop)
    }
}

impl RedisStore {
    async fn tried(&self, key: &AttemptKey, back: u8) -> Answer<u64> {
        let mut call = self.scripts.try_sign_in.call(&[keys::attempts(key)]);
        call.arg(self.clock_ms()).arg(key.free()).arg(u8::from(key.doubles())).arg(back);
        call.arg(Attempts::SPAN_MS).arg(Attempts::DISTANCE_MS).arg(Attempts::MEMORY_MS);
        self.scripts.try_sign_in.run_once(&self.link, &call).await
    }
}
