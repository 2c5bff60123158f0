//! Gateway tokens: a row by its index, and the rows that one token has.
//!
//! A token that gets an index under another key of the ring has a row there, and keeps the
//! old one: a gateway whose ring has only the old key still finds it. Each row names its
//! neighbours, and revoking goes through all of them. A row is marked revoked before its
//! neighbours are read, and gets a next one only while it is not: so none is missed.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::accounts::{GatewayTokenRow, TokenId};

use super::super::Answer;
use super::{RedisStore, from_json, instant, keys, to_json};

impl RedisStore {
    pub(super) async fn token_row(&self, index: &str) -> Answer<Option<GatewayTokenRow>> {
        let row = redis::cmd("HMGET").arg(keys::token(index)).arg("row").arg("revoked_at").take();
        let (row, revoked_at): (Option<String>, Option<i64>) = self.link.ask(&row).await?;
        let Some(row) = row else { return Ok(None) };
        let row: GatewayTokenRow = from_json("token", &row)?;
        match revoked_at {
            Some(ms) => Ok(Some(GatewayTokenRow { revoked_at: instant("token", ms)?, ..row })),
            None => Ok(Some(row)),
        }
    }

    /// Revokes every row of a token.
    pub(super) async fn revoke_rows(&self, token: TokenId) -> Answer<bool> {
        let place = redis::cmd("GET").arg(keys::token_place(token)).take();
        let index: Option<String> = self.link.ask(&place).await?;
        let Some(index) = index else { return Ok(false) };
        if self.token_row(&index).await?.is_none() {
            return Ok(false);
        }
        let at = self.now().await?;
        let (mut ahead, mut done) = (vec![index], BTreeSet::new());
        while let Some(index) = ahead.pop() {
            self.revoke_row(&index, at).await?;
            let beside =
                redis::cmd("HMGET").arg(keys::token(&index)).arg("next").arg("before").take();
            let (next, before): (Option<String>, Option<String>) = self.link.ask(&beside).await?;
            done.insert(index);
            ahead.extend(next.into_iter().chain(before).filter(|index| !done.contains(index)));
        }
        Ok(true)
    }

    async fn revoke_row(&self, index: &str, at: Timestamp) -> Answer<()> {
        let key = keys::token(index);
        // The time first, and once: the row follows however often this is repeated.
        let ms = at.as_millisecond();
        let marked = redis::cmd("HSETNX").arg(&key).arg("revoked_at").arg(ms).take();
        self.link.ask::<()>(&marked).await?;
        let Some(mut row) = self.token_row(index).await? else { return Ok(()) };
        row.revoke(at);
        let row = to_json("token", &row)?;
        self.link.ask(&redis::cmd("HSET").arg(key).arg("row").arg(row).take()).await
    }

    /// Gives a token a row under another index.
    pub(super) async fn add_row(
        &self,
        old: &GatewayTokenRow,
        new: &GatewayTokenRow,
    ) -> Answer<bool> {
        let before = redis::cmd("HGET").arg(keys::token(&old.index)).arg("row").take();
        let before: Option<String> = self.link.ask(&before).await?;
        let Some(before) = before else { return Ok(false) };
        if from_json::<GatewayTokenRow>("token", &before)? != *old {
            return Ok(false);
        }
        let script = &self.scripts.reindex_token;
        let mut call = script.call(&[keys::token(&old.index)]);
        call.arg(before).arg(&new.index);
        if !script.run::<bool>(&self.link, &call).await? {
            return Ok(false);
        }
        let (key, json) = (keys::token(&new.index), to_json("token", new)?);
        // Its neighbour first: from then on it can be revoked with it.
        for (field, value) in [("before", &old.index), ("row", &json)] {
            let set = redis::cmd("HSETNX").arg(&key).arg(field).arg(value).take();
            self.link.ask::<()>(&set).await?;
        }
        let id = new.grant.id;
        let place = redis::cmd("SET").arg(keys::token_place(id)).arg(&new.index).take();
        self.link.ask::<()>(&place).await?;
        let of_user = keys::tokens_of(new.grant.user);
        let of_user = redis::cmd("HSET").arg(of_user).arg(id.0).arg(&new.index).take();
        self.link.ask::<()>(&of_user).await?;
        // Revoked meanwhile, before the new row was there to have its MAC ruined.
        match self.token_row(&old.index).await?.and_then(|row| row.revoked_at) {
            Some(at) => self.revoke_row(&new.index, at).await.map(|()| false),
            None => Ok(true),
        }
    }
}
