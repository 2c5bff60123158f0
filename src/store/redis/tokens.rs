//! Gateway tokens: a row by its index, and the rows that one token has.
//!
//! A token that gets an index under another key of the ring has a row there, and keeps the
//! old one: a gateway whose ring has only the old key still finds it. Each row names its
//! neighbours, and revoking goes through all of them. A row is marked revoked before its
//! neighbours are read, and gets a next one only while it is not: so none is missed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::accounts::{GatewayTokenRow, TokenId, TokenUse, UserId};

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
        // Revoked or changed meanwhile, before the new row was there for that.
        let revoked_at = match self.token_row(&old.index).await? {
            Some(row) => row.revoked_at,
            None => Some(self.now().await?),
        };
        match revoked_at {
            Some(at) => self.revoke_row(&new.index, at).await.map(|()| false),
            None => Ok(true),
        }
    }

    /// Puts another row in a token's place, and takes away those under older keys of the ring:
    /// what they grant is granted no more. A gateway whose ring has such a key alone does not
    /// know the token from then on; one that has both gives it a row there anew.
    pub(super) async fn change_row(
        &self,
        old: &GatewayTokenRow,
        new: &GatewayTokenRow,
    ) -> Answer<bool> {
        let key = keys::token(&old.index);
        let before = redis::cmd("HGET").arg(&key).arg("row").take();
        let before: Option<String> = self.link.ask(&before).await?;
        let Some(before) = before else { return Ok(false) };
        let is_it = from_json::<GatewayTokenRow>("token", &before)? == *old;
        if !is_it || old.index != new.index || old.grant.id != new.grant.id {
            return Ok(false);
        }
        let script = &self.scripts.change_token;
        let mut call = script.call(&[&key]);
        call.arg(before).arg(to_json("token", new)?);
        if !script.run_once::<bool>(&self.link, &call).await? {
            return Ok(false);
        }
        // The oldest first: what is left when this fails is still found from the new row.
        let mut older = vec![new.index.clone()];
        while let Some(last) = older.last() {
            let before = redis::cmd("HGET").arg(keys::token(last)).arg("before").take();
            match self.link.ask::<Option<String>>(&before).await? {
                Some(before) if !older.contains(&before) => older.push(before),
                _ => break,
            }
        }
        for index in older.iter().skip(1).rev() {
            self.link.ask::<()>(&redis::cmd("DEL").arg(keys::token(index)).take()).await?;
        }
        if older.len() > 1 {
            let alone = redis::cmd("HDEL").arg(&key).arg("before").take();
            self.link.ask::<()>(&alone).await?;
        }
        Ok(true)
    }

    pub(super) async fn note_use(&self, used: &TokenUse) -> Answer<()> {
        let script = &self.scripts.use_token;
        let mut call = script.call(&[keys::token_uses(used.user)]);
        call.arg(used.token.0).arg(used.at.as_millisecond());
        script.run(&self.link, &call).await
    }

    pub(super) async fn uses_of(&self, user: UserId) -> Answer<BTreeMap<TokenId, Timestamp>> {
        let all = redis::cmd("HGETALL").arg(keys::token_uses(user)).take();
        let all: BTreeMap<i64, i64> = self.link.ask(&all).await?;
        let uses = all.into_iter().map(|(id, ms)| Ok(Some((TokenId(id), instant("token", ms)?))));
        let uses: Vec<_> = uses.filter_map(Answer::transpose).collect::<Answer<_>>()?;
        Ok(uses.into_iter().filter_map(|(id, at)| Some((id, at?))).collect())
    }
}
