//! Records and totals: a user's, in the user's slot.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join_all, try_join_all};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use crate::accounts::{AccountId, Counts, PlatformId, Record, TokenId, Total, TotalKey, UserId};

use super::super::Answer;
use super::arguments::{LATE, exactly, millis};
use super::ledger::{A_BATCH, all_of};
use super::{RedisStore, corrupt, from_json, keys, to_json};

/// Whether records are given for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    First,
    /// They may be here already, and gone again.
    Again,
}

impl RedisStore {
    pub(super) async fn record_all(&self, batch: &[Record], given: Given) -> Answer<()> {
        let mut days: BTreeMap<(UserId, Date), Vec<&Record>> = BTreeMap::new();
        for record in batch {
            days.entry((record.user, record.day())).or_default().push(record);
        }
        let Some(newest) = batch.iter().map(|record| record.at).max() else { return Ok(()) };
        let calls = days.iter().flat_map(|(&of, records)| {
            records.chunks(A_BATCH).map(move |some| self.record_some(of, some, newest, given))
        });
        all_of(join_all(calls).await)
    }

    /// Adds records, those of removed accounts without the ids.
    async fn record_some(
        &self,
        of: (UserId, Date),
        records: &[&Record],
        newest: Timestamp,
        given: Given,
    ) -> Answer<()> {
        let mut records: Vec<_> = records.iter().map(|&record| Cow::Borrowed(record)).collect();
        while !records.is_empty() {
            let gone = self.add_records(of, &records, newest, given).await?;
            records.retain_mut(|record| {
                let is_gone = |account: AccountId| gone.contains(&account.0);
                let is_late = record.attempts.iter().any(|attempt| is_gone(attempt.account));
                if is_late {
                    record.to_mut().forget(is_gone);
                }
                is_late
            });
        }
        Ok(())
    }

    /// Adds records but those that are on removed accounts; answers these accounts.
    async fn add_records(
        &self,
        (user, day): (UserId, Date),
        records: &[Cow<'_, Record>],
        newest: Timestamp,
        given: Given,
    ) -> Answer<BTreeSet<i64>> {
        let keep = self.options.keep;
        let age = SignedDuration::try_from(keep.age).unwrap_or(SignedDuration::MAX);
        let oldest = newest.saturating_sub(age).map_or(0, Timestamp::as_millisecond);
        let [times, bodies, by_account] = keys::records_of(user);
        let days = keys::days_of(user);
        let totals = keys::totals_of(user, day);
        let gone = keys::gone_of(user);
        let mut call = self.scripts.record.call(&[times, bodies, by_account, days, totals, gone]);
        call.arg(exactly(keep.records_an_account)).arg(oldest).arg(TotalKey::MOST_A_DAY);
        call.arg(u8::from(given == Given::Again)).arg(day.to_string());
        for record in records {
            let attempts = record.attempts.iter().map(|attempt| attempt.account.0);
            let mut accounts: BTreeSet<i64> = attempts.collect();
            if accounts.is_empty() {
                accounts.insert(0);
            }
            let json = to_json("record", &**record)?;
            call.arg(record.at.as_millisecond()).arg(&record.id).arg(json);
            call.arg(accounts.len());
            for account in accounts {
                call.arg(account);
            }
            let totals = record.totals();
            call.arg(totals.len());
            for Total { key, counts } in &totals {
                call.arg(field(key)).arg(&key.model).arg(&counts.row());
            }
        }
        self.scripts.record.run(&self.link, &call).await
    }

    /// A user's records, of an account alone where one is named, newest first, older than one.
    pub(super) async fn record_page(
        &self,
        user: UserId,
        account: Option<AccountId>,
        before: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<Record>> {
        let mut call = self.scripts.records.call(&keys::records_of(user));
        call.arg(before.unwrap_or_default()).arg(limit);
        call.arg(account.map(|account| account.to_string()).unwrap_or_default());
        let records: Vec<Option<String>> = self.scripts.records.run(&self.link, &call).await?;
        records.iter().flatten().map(|json| from_json("record", json)).collect()
    }

    pub(super) async fn totals(&self, user: UserId, first: Date, last: Date) -> Answer<Vec<Total>> {
        let all = redis::cmd("SMEMBERS").arg(keys::days_of(user)).take();
        let mut days = Vec::new();
        for day in self.link.ask::<Vec<String>>(&all).await? {
            days.push(day.parse::<Date>().map_err(|error| corrupt("day", error))?);
        }
        days.retain(|day| (first..=last).contains(day));
        days.sort_unstable();
        let read = days.iter().map(|&day| async move {
            let all = redis::cmd("HGETALL").arg(keys::totals_of(user, day)).take();
            let all: BTreeMap<String, String> = self.link.ask(&all).await?;
            all.iter().map(|(field, sums)| total(user, day, field, sums)).collect()
        });
        let days: Vec<Vec<Total>> = try_join_all(read).await?;
        let mut totals = days.concat();
        totals.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(totals)
    }

    /// Deletes an account's records, whoever's they are, and takes its id out of totals.
    pub(super) async fn forget(&self, account: AccountId, users: &[UserId]) -> Answer<()> {
        for &user in users {
            let records = &self.scripts.forget_records;
            let [times, bodies, by_account] = keys::records_of(user);
            let mut call = records.call(&[times, bodies, by_account, keys::gone_of(user)]);
            call.arg(account.0).arg(millis(LATE));
            while records.run::<bool>(&self.link, &call).await? {}
            let days = redis::cmd("SMEMBERS").arg(keys::days_of(user)).take();
            for day in self.link.ask::<Vec<String>>(&days).await? {
                let day: Date = day.parse().map_err(|error| corrupt("day", error))?;
                let totals = &self.scripts.forget_totals;
                let mut call = totals.call(&[keys::totals_of(user, day)]);
                call.arg(account.0);
                totals.run::<()>(&self.link, &call).await?;
            }
        }
        Ok(())
    }
}

/// A key without its model: `token account platform `, none as `0` and `-`.
fn field(key: &TotalKey) -> String {
    let account = key.account.map_or(0, |account| account.0);
    let platform = key.platform.as_ref().map_or("-", PlatformId::as_str);
    format!("{} {account} {platform} ", key.token)
}

fn total(user: UserId, day: Date, field: &str, sums: &str) -> Answer<Total> {
    let bad = || corrupt("total", "it has not the fields that it should");
    let mut words = field.splitn(4, ' ');
    let mut word = || words.next().ok_or_else(bad);
    let token = TokenId(word()?.parse().map_err(|_| bad())?);
    let account: i64 = word()?.parse().map_err(|_| bad())?;
    let platform = Some(word()?).filter(|platform| *platform != "-").map(PlatformId::from);
    let model = word()?.to_owned();
    let mut row = [0; 9];
    let mut sums = sums.split(' ');
    for sum in &mut row {
        *sum = sums.next().and_then(|sum| sum.parse().ok()).ok_or_else(bad)?;
    }
    let account = (account != 0).then_some(AccountId(account));
    let key = TotalKey { day, user, token, account, platform, model };
    Ok(Total { key, counts: Counts::of_row(row) })
}
