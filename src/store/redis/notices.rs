//! Notices: rows by number, and the numbers of each pool's and account's, in one slot. A
//! key is taken by `SET NX`, so that each thing is said once.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::accounts::{AccountId, Channel, Delivery, NewNotice, Notice, PoolId, UserId};

use super::super::notices::{MOST_WAITING, Reading};
use super::super::{Answer, NoticeBoard};
use super::arguments::millis;
use super::keys::{self, FAMILIES, Family};
use super::{RedisStore, corrupt, from_json, to_json};

#[async_trait]
impl NoticeBoard for RedisStore {
    async fn post_notice(&self, new: NewNotice, channels: &[Channel]) -> Answer<Option<Notice>> {
        let key = keys::notice_key(&new.key);
        if self.link.ask(&redis::cmd("EXISTS").arg(&key).take()).await? {
            return Ok(None);
        }
        let id: i64 = self.link.ask(&redis::cmd("INCR").arg(keys::NOTICE_IDS).take()).await?;
        let notice = new.posted(id, self.now().await?);
        let member = format!("{id} {} {}", notice.at.as_millisecond(), to_json("notice", &notice)?);
        let mut all = vec![key, keys::NOTICES.to_owned(), keys::notices_in(new.pool)];
        all.push(keys::notices_on(new.account));
        all.extend(channels.iter().map(|channel| keys::notices_to_send(*channel)));
        all.extend(new.instead_of.iter().map(|key| keys::notice_key(key)));
        let mut call = self.scripts.notice_post.call(&all);
        call.arg(id).arg(member).arg(millis(self.options.keep.audit).max(1));
        call.arg(notice.at.as_millisecond()).arg(channels.len()).arg(MOST_WAITING);
        let posted: bool = self.scripts.notice_post.run(&self.link, &call).await?;
        Ok(posted.then_some(notice))
    }

    async fn notices_in(
        &self,
        pools: &[PoolId],
        reader: UserId,
        reading: Reading,
        before: Option<i64>,
        limit: usize,
    ) -> Answer<Vec<(Notice, bool)>> {
        let mut all = vec![keys::NOTICES.to_owned(), keys::notices_read(reader)];
        all.extend(pools.iter().map(|pool| keys::notices_in(*pool)));
        let mut call = self.scripts.notices.call(&all);
        call.arg(before.map_or_else(|| "+inf".into(), |before| format!("({before}")));
        call.arg(limit).arg(u8::from(reading == Reading::Unread));
        let rows: Vec<(String, bool)> = self.scripts.notices.run(&self.link, &call).await?;
        rows.iter().map(|(member, read)| Ok((notice(member)?, *read))).collect()
    }

    async fn read_notice(&self, pools: &[PoolId], reader: UserId, id: i64) -> Answer<bool> {
        let mut all = vec![keys::NOTICES.to_owned(), keys::notices_read(reader)];
        all.extend(pools.iter().map(|pool| keys::notices_in(*pool)));
        let mut call = self.scripts.notice_read.call(&all);
        call.arg(id);
        self.scripts.notice_read.run(&self.link, &call).await
    }

    async fn claim_notices(
        &self,
        channel: Channel,
        limit: usize,
        life: Duration,
    ) -> Answer<Vec<Delivery>> {
        let now = self.now().await?.as_millisecond();
        let own = [
            keys::NOTICES.to_owned(),
            keys::notices_to_send(channel),
            keys::notices_tried(channel),
        ];
        let mut call = self.scripts.notices_claim.call(&own);
        call.arg(now).arg(limit).arg(millis(life));
        let claimed: Vec<(String, u32)> = self.scripts.notices_claim.run(&self.link, &call).await?;
        let read =
            |(member, tries): (String, u32)| Ok(Delivery { notice: notice(&member)?, tries });
        claimed.into_iter().map(read).collect()
    }

    async fn end_delivery(&self, channel: Channel, id: i64, again: Option<Duration>) -> Answer<()> {
        let (to_send, tried) = (keys::notices_to_send(channel), keys::notices_tried(channel));
        match again {
            Some(again) => {
                let due = self.now().await?.as_millisecond().saturating_add_unsigned(millis(again));
                let put = redis::cmd("ZADD").arg(to_send).arg("XX").arg(due).arg(id).take();
                self.link.ask(&put).await
            }
            None => {
                self.link.ask::<()>(&redis::cmd("ZREM").arg(to_send).arg(id).take()).await?;
                self.link.ask(&redis::cmd("HDEL").arg(tried).arg(id).take()).await
            }
        }
    }

    async fn pools_of_accounts(&self) -> Answer<Vec<PoolId>> {
        let all: Vec<String> = self.link.ask(&redis::cmd("SMEMBERS").arg(FAMILIES).take()).await?;
        let pools = all.iter().filter_map(|text| Family::read(text)).map(|family| family.pool);
        Ok(pools.collect::<BTreeSet<_>>().into_iter().collect())
    }
}

impl RedisStore {
    /// Lets an account's notices go.
    pub(super) async fn forget_notices(&self, account: AccountId) -> Answer<()> {
        let own = [keys::NOTICES.to_owned(), keys::notices_on(account)];
        let call = self.scripts.notices_forget.call(&own);
        self.scripts.notices_forget.run(&self.link, &call).await
    }

    /// Lets notices go that are older than this, from the front.
    pub(super) async fn forget_old_notices(&self, oldest: Timestamp) -> Answer<()> {
        self.forget_front(keys::NOTICES, oldest.as_millisecond()).await
    }
}

fn notice(member: &str) -> Answer<Notice> {
    let json = member.splitn(3, ' ').nth(2);
    from_json("notice", json.ok_or_else(|| corrupt("notice", "it is no row"))?)
}
