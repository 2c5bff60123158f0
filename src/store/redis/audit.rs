//! The audit log: a sorted set of rows by their numbers, and each user's numbers, in one
//! slot. A member is `MAC MS JSON`, so that scripts need not read JSON.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::accounts::{AuditHead, AuditRow, UserId};
use crate::telemetry::clock::Stopwatch;

use super::super::{Answer, AuditLog};
use super::{RedisStore, corrupt, from_json, keys, to_json};

/// How often this gateway looks for rows that are too old.
const FORGET_EVERY: std::time::Duration = std::time::Duration::from_secs(60);

/// How many rows a script lets go at a time.
const A_BATCH: usize = 64;

#[async_trait]
impl AuditLog for RedisStore {
    async fn audit_head(&self) -> Answer<AuditHead> {
        let now = self.now().await?;
        let last = redis::cmd("ZREVRANGE").arg(keys::AUDIT).arg(0).arg(0).arg("WITHSCORES").take();
        let last: Vec<(String, f64)> = self.link.ask(&last).await?;
        let (seq, mac) = match last.first() {
            // The number that the set has, and not what a changed row says.
            Some((member, score)) => (whole(*score)?, words(member)?.0.to_owned()),
            None => (0, String::new()),
        };
        Ok(AuditHead { seq, mac, now })
    }

    async fn add_audit(&self, row: AuditRow) -> Answer<bool> {
        let json = to_json("audit", &row)?;
        let member = format!("{} {} {json}", row.mac, row.at.as_millisecond());
        let readers = row.deed.readers().into_iter().map(keys::audit_of);
        let all: Vec<String> = std::iter::once(keys::AUDIT.to_owned()).chain(readers).collect();
        let mut call = self.scripts.audit_add.call(&all);
        call.arg(row.seq).arg(&row.before).arg(&row.mac).arg(member);
        self.scripts.audit_add.run(&self.link, &call).await
    }

    async fn audit_of(
        &self,
        reader: Option<UserId>,
        before: Option<i64>,
        limit: usize,
    ) -> Answer<Vec<AuditRow>> {
        let from = before.map_or_else(|| "+inf".into(), |before| format!("({before}"));
        let members: Vec<String> = match reader {
            Some(reader) => {
                let own = [keys::AUDIT.to_owned(), keys::audit_of(reader)];
                let mut call = self.scripts.audit_of.call(&own);
                call.arg(from).arg(limit);
                self.scripts.audit_of.run(&self.link, &call).await?
            }
            None => {
                let mut page = redis::cmd("ZREVRANGEBYSCORE");
                page.arg(keys::AUDIT).arg(from).arg("-inf").arg("LIMIT").arg(0).arg(limit);
                self.link.ask(&page).await?
            }
        };
        members.iter().map(|member| read(member)).collect()
    }

    async fn audit_after(&self, after: i64, limit: usize) -> Answer<Vec<AuditRow>> {
        let mut page = redis::cmd("ZRANGEBYSCORE");
        page.arg(keys::AUDIT).arg(format!("({after}")).arg("+inf");
        page.arg("LIMIT").arg(0).arg(limit);
        let members: Vec<String> = self.link.ask(&page).await?;
        members.iter().map(|member| read(member)).collect()
    }
}

impl RedisStore {
    /// Lets rows go that are too old, now and then.
    pub(super) async fn forget_audit(&self) -> Answer<()> {
        {
            let mut last =
                self.forgot_audit.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if last.as_ref().is_some_and(|since| since.elapsed() < FORGET_EVERY) {
                return Ok(());
            }
            *last = Some(Stopwatch::start());
        }
        let age = jiff::SignedDuration::try_from(self.options.keep.audit);
        let age = age.unwrap_or(jiff::SignedDuration::MAX);
        let oldest = self.now().await?.saturating_sub(age).unwrap_or(Timestamp::UNIX_EPOCH);
        self.forget_front(keys::AUDIT, oldest.as_millisecond()).await?;
        self.forget_old_notices(oldest).await
    }

    /// Lets rows of a log go that are older than this.
    pub(super) async fn forget_front(&self, log: &str, oldest_ms: i64) -> Answer<()> {
        loop {
            let mut call = self.scripts.forget_front.call(&[log]);
            call.arg(oldest_ms).arg(A_BATCH);
            let gone: usize = self.scripts.forget_front.run(&self.link, &call).await?;
            if gone < A_BATCH {
                return Ok(());
            }
        }
    }
}

fn words(member: &str) -> Answer<(&str, &str)> {
    let (mac, rest) = member.split_once(' ').ok_or_else(|| corrupt("audit", "it is no row"))?;
    let (_, json) = rest.split_once(' ').ok_or_else(|| corrupt("audit", "it is no row"))?;
    Ok((mac, json))
}

fn read(member: &str) -> Answer<AuditRow> {
    from_json("audit", words(member)?.1)
}

#[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
fn whole(score: f64) -> Answer<i64> {
    let is_count = score.fract() == 0.0 && (0.0..9e15).contains(&score);
    if is_count { Ok(score as i64) } else { Err(corrupt("audit", "its number is none")) }
}
