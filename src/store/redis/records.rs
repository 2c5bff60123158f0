//! Records, and what totals count of them: a user's, in the user's slot.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures_util::future::join_all;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use redis::RedisWrite as _;

use crate::accounts::{AccountId, Record, Total, TotalKey, UserId};

use super::super::Answer;
use super::arguments::{LATE, exactly, millis};
use super::ledger::{A_BATCH, all_of};
use super::totals::field;
use super::{RedisStore, corrupt, from_json, keys, to_json};

/// Whether records are given for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    First,
    /// They may be here already, and gone again.
    Again,
}

/// The room for a record's arguments, where it has one attempt.
const A_RECORD: [usize; 10] = [16, 32, 768, 0, 2, 12, 2, 32, 32, 48];

/// What was said in calls, by their records' ids, as it is written.
pub(super) type Said = HashMap<String, String>;

/// Takes out what was said.
pub(super) fn take_said(batch: &mut [Arc<Record>]) -> Answer<Said> {
    let mut all = Said::new();
    for record in batch {
        if let Some(bodies) = &record.bodies {
            all.insert(record.id.clone(), to_json("bodies", bodies)?);
            Arc::make_mut(record).bodies = None;
        }
    }
    Ok(all)
}

impl RedisStore {
    /// Adds records, what was said in which is given apart.
    pub(super) async fn record_all(
        &self,
        batch: &[Arc<Record>],
        said: &Said,
        given: Given,
    ) -> Answer<()> {
        let mut days: BTreeMap<(UserId, Date), Vec<&Record>> = BTreeMap::new();
        for record in batch {
            days.entry((record.user, record.day())).or_default().push(record);
        }
        let Some(newest) = batch.iter().map(|record| record.at).max() else { return Ok(()) };
        let calls = days.iter().flat_map(|(&of, records)| {
            records.chunks(A_BATCH).map(move |some| self.record_some(of, some, said, newest, given))
        });
        all_of(join_all(calls).await)
    }

    /// Adds records, those of removed accounts without the ids.
    async fn record_some(
        &self,
        of: (UserId, Date),
        records: &[&Record],
        said: &Said,
        newest: Timestamp,
        given: Given,
    ) -> Answer<()> {
        let (mut records, mut gone) = (records.to_vec(), BTreeSet::new());
        while !records.is_empty() {
            let met = self.add_records(of, &records, said, &gone, newest, given).await?;
            let is_met = |account: AccountId| met.contains(&account.0);
            records.retain(|record| record.attempts.iter().any(|one| is_met(one.account)));
            gone.extend(met);
        }
        Ok(())
    }

    /// Adds records, without the ids of accounts that are known to be gone, but those that are
    /// on others that were removed; answers these accounts.
    async fn add_records(
        &self,
        (user, day): (UserId, Date),
        records: &[&Record],
        said: &Said,
        known_gone: &BTreeSet<i64>,
        newest: Timestamp,
        given: Given,
    ) -> Answer<BTreeSet<i64>> {
        let keep = self.options.keep;
        let age = SignedDuration::try_from(keep.age).unwrap_or(SignedDuration::MAX);
        let oldest = newest.saturating_sub(age).map_or(0, Timestamp::as_millisecond);
        let mut all = keys::records_of(user).to_vec();
        all.extend([keys::days_of(user), keys::totals_of(user, day), keys::gone_of(user)]);
        let mut call = self.scripts.record.call(&all);
        call.reserve_space_for_args(records.iter().flat_map(|_| A_RECORD));
        call.arg(exactly(keep.records_an_account)).arg(oldest).arg(TotalKey::MOST_A_DAY);
        call.arg(u8::from(given == Given::Again)).arg(day.to_string());
        let is_gone = |account: AccountId| known_gone.contains(&account.0);
        let mut text = Vec::with_capacity(1024);
        for &record in records {
            let totals = record.totals(is_gone);
            let mut record = Cow::Borrowed(record);
            if !known_gone.is_empty() {
                record.to_mut().forget(is_gone);
            }
            let attempts = record.attempts.iter().map(|attempt| attempt.account.0);
            let mut accounts: BTreeSet<i64> = attempts.collect();
            if accounts.is_empty() {
                accounts.insert(0);
            }
            text.clear();
            serde_json::to_writer(&mut text, &*record).map_err(|error| corrupt("record", error))?;
            call.arg(record.at.as_millisecond()).arg(&record.id).arg(&text[..]);
            match said.get(&record.id) {
                Some(said) => call.arg(said),
                None => call.arg(""),
            };
            call.arg(accounts.len());
            for account in accounts {
                call.arg(account);
            }
            call.arg(totals.len());
            for Total { key, counts } in &totals {
                text.clear();
                // The script reads the digits.
                serde_json::to_writer(&mut text, &counts.row())
                    .map_err(|error| corrupt("total", error))?;
                call.arg(field(key)).arg(&key.model).arg(&text[..]);
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
        type Row = (Option<String>, Option<String>);
        let rows: Vec<Row> = self.scripts.records.run(&self.link, &call).await?;
        let mut records = Vec::with_capacity(rows.len());
        for (record, said) in &rows {
            let Some(record) = record else { continue };
            let mut record: Record = from_json("record", record)?;
            // Records from before it lay apart have it in them.
            if let Some(said) = said {
                record.bodies = Some(from_json("bodies", said)?);
            }
            records.push(record);
        }
        Ok(records)
    }

    /// Deletes an account's records, whoever's they are, and takes its id out of totals.
    pub(super) async fn forget(&self, account: AccountId, users: &[UserId]) -> Answer<()> {
        for &user in users {
            let records = &self.scripts.forget_records;
            let [times, rows, by_account, said] = keys::records_of(user);
            let mut call = records.call(&[times, rows, by_account, said, keys::gone_of(user)]);
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
