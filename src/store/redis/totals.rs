//! Totals: what was charged lies where it was charged, counted by the same script; what records
//! add lies in the user's slot, counted with the record. They meet when they are read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::accounts::{
    AccountId, Counts, PlatformId, PoolId, TokenId, Tokens, Total, TotalKey, User, UserId,
};

use super::super::{Answer, Directory as _};
use super::keys::{self, Family};
use super::{RedisStore, corrupt, from_json};

/// How many sums one answer has, about.
const A_PAGE: usize = 1000;

impl RedisStore {
    pub(super) async fn totals(&self, user: UserId, first: Date, last: Date) -> Answer<Vec<Total>> {
        let days = first..=last;
        let mut sums: BTreeMap<TotalKey, Counts> = BTreeMap::new();
        let mut add = |Total { key, counts }: Total| *sums.entry(key).or_default() += counts;
        self.recorded(user, first, last).await?.into_iter().for_each(&mut add);
        for family in self.families_in(&self.pools_of(user).await?).await? {
            self.charged(&family, user, &days).await?.into_iter().for_each(&mut add);
        }
        Ok(sums.into_iter().map(|(key, counts)| Total { key, counts }).collect())
    }

    /// What a user's records add.
    async fn recorded(&self, user: UserId, first: Date, last: Date) -> Answer<Vec<Total>> {
        let all = redis::cmd("SMEMBERS").arg(keys::days_of(user)).take();
        let mut days = Vec::new();
        for day in self.link.ask::<Vec<String>>(&all).await? {
            days.push(day.parse::<Date>().map_err(|error| corrupt("day", error))?);
        }
        days.retain(|day| (first..=last).contains(day));
        let read = days.iter().map(|&day| async move {
            let all = redis::cmd("HGETALL").arg(keys::totals_of(user, day)).take();
            let all: BTreeMap<String, String> = self.link.ask(&all).await?;
            all.iter().map(|(field, sums)| of_records(user, day, field, sums)).collect()
        });
        let days: Vec<Vec<Total>> = try_join_all(read).await?;
        Ok(days.concat())
    }

    /// The pools that a user's calls may have drawn from: its own, those of its tokens, and of
    /// every team that it ever was in.
    async fn pools_of(&self, user: UserId) -> Answer<Vec<PoolId>> {
        let row = redis::cmd("HGET").arg(keys::USERS[1]).arg(user.0).take();
        let row: Option<String> = self.link.ask(&row).await?;
        let row = row.map(|json| from_json::<User>("user", &json)).transpose()?;
        let mut pools: BTreeSet<PoolId> = row.iter().map(|user| user.pool).collect();
        for token in self.tokens_of(user).await? {
            pools.extend(token.grant.only_pools.into_iter().flatten());
        }
        let teams = redis::cmd("SMEMBERS").arg(keys::ever_of(user)).take();
        pools.extend(self.link.ask::<Vec<i64>>(&teams).await?.into_iter().map(PoolId));
        Ok(pools.into_iter().collect())
    }

    /// What a user was charged in a family on some days.
    async fn charged(
        &self,
        family: &Family,
        user: UserId,
        days: &RangeInclusive<Date>,
    ) -> Answer<Vec<Total>> {
        let named = format!("{}* {} *", beginning(days), user.0);
        // A field may be shown twice.
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        let mut cursor = String::from("0");
        loop {
            let mut scan = redis::cmd("HSCAN");
            scan.arg(family.sums()).arg(&cursor).arg("MATCH").arg(&named).arg("COUNT").arg(A_PAGE);
            let page: BTreeMap<String, String>;
            (cursor, page) = self.link.ask(&scan).await?;
            fields.extend(page);
            if cursor == "0" {
                break;
            }
        }
        let totals = fields.iter().map(|(field, sums)| of_charges(family, field, sums));
        let mut totals = totals.filter_map(Result::transpose).collect::<Answer<Vec<_>>>()?;
        totals.retain(|Total { key, .. }| key.user == user && days.contains(&key.day));
        Ok(totals)
    }

    /// Takes an account's id out of what it was charged.
    pub(super) async fn forget_sums(&self, family: &Family, account: AccountId) -> Answer<()> {
        let mut cursor = String::from("0");
        loop {
            let mut call = self.call(&self.scripts.forget_sums, family, &Default::default());
            call.arg(account.0).arg(&cursor);
            cursor = self.scripts.forget_sums.run(&self.link, &call).await?;
            if cursor == "0" {
                return Ok(());
            }
        }
    }
}

/// Reads `day user token account model` and `exact estimated`; `None`: the field is none.
fn of_charges(family: &Family, field: &str, sums: &str) -> Answer<Option<Total>> {
    let bad = || corrupt("total", "it has not the fields that it should");
    if field.starts_with('#') {
        return Ok(None);
    }
    let mut words = field.splitn(5, ' ');
    let mut word = || words.next().ok_or_else(bad);
    let [day, user, token, account] = [word()?, word()?, word()?, word()?];
    let model = word()?.to_owned();
    let number = |text: &str| text.parse::<i64>().map_err(|_| bad());
    let (exact, estimated) = sums.split_once(' ').ok_or_else(bad)?;
    let tokens = |text: &str| number(text).map(|sum| Tokens(sum.max(0).unsigned_abs()));
    let account = number(account)?;
    let key = TotalKey {
        day: date(number(day)?)?,
        user: UserId(number(user)?),
        token: TokenId(number(token)?),
        account: (account != 0).then_some(AccountId(account)),
        platform: Some(family.platform.clone()),
        model,
    };
    let (exact, estimated) = (tokens(exact)?, tokens(estimated)?);
    Ok(Some(Total { key, counts: Counts { exact, estimated, ..Counts::default() } }))
}

/// What the numbers of all these days begin with, as a pattern: the server leaves most of the
/// others out.
fn beginning(days: &RangeInclusive<Date>) -> String {
    let number = |day: Date| {
        let begin = TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).map(Timestamp::as_second);
        begin.map_or(String::new(), |second| second.div_euclid(24 * 60 * 60).to_string())
    };
    let (first, last) = (number(*days.start()), number(*days.end()));
    if first.len() != last.len() {
        return String::new();
    }
    let mut named = String::new();
    for (from, to) in first.chars().zip(last.chars()) {
        if from == to {
            named.push(from);
        } else if from.is_ascii_digit() && to.is_ascii_digit() {
            return format!("{named}[{from}-{to}]");
        } else {
            break;
        }
    }
    named
}

/// A day by its number since the epoch.
fn date(number: i64) -> Answer<Date> {
    let begin = Timestamp::from_second(number.saturating_mul(24 * 60 * 60));
    let begin = begin.map_err(|error| corrupt("day", error))?;
    Ok(TimeZone::UTC.to_datetime(begin).date())
}

/// A key without its model: `token account platform `, none as `0` and `-`.
pub(super) fn field(key: &TotalKey) -> String {
    let account = key.account.map_or(0, |account| account.0);
    let platform = key.platform.as_ref().map_or("-", PlatformId::as_str);
    format!("{} {account} {platform} ", key.token)
}

fn of_records(user: UserId, day: Date, field: &str, sums: &str) -> Answer<Total> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_asked_for_by_what_all_their_numbers_begin_with() {
        for (first, last, expected) in [
            ("2026-11-24", "2026-11-24", "20781"),
            ("2026-11-24", "2026-12-12", "207[8-9]"),
            ("2026-11-24", "2026-12-13", "20[7-8]"),
            ("2025-11-24", "2026-11-24", "20[4-7]"),
            ("1990-01-01", "2026-11-24", ""),
            ("1969-12-01", "2026-11-24", ""),
            ("1969-12-30", "1969-12-31", "-[2-1]"),
            ("1969-12-31", "1970-01-20", ""),
        ] {
            let days = first.parse::<Date>().unwrap()..=last.parse().unwrap();
            assert_eq!(beginning(&days), expected, "{first} {last}");
        }
    }
}
