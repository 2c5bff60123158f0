//! Purses: each verb one script in the purse's own slot.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use jiff::Timestamp;
use redis::{Cmd, Value};

use crate::accounts::{
    EntryKind, HoldAsk, HoldEnd, HoldKey, HoldRefusal, Points, PointsEntry, Purse, PurseState,
    UserId,
};

use super::super::{Answer, Purses, Treasury};
use super::arguments::{EARLY_TOMBSTONE, LATE, TOMBSTONE, millis, tokens};
use super::charges::kind_number;
use super::ledger::{A_BATCH, all_of};
use super::scripts::Loaded;
use super::{RedisStore, corrupt, instant, keys};

/// The largest amount that a script counts exactly.
const MOST: u64 = Points::MOST.0.unsigned_abs();

#[async_trait]
impl Treasury for RedisStore {
    async fn grant_points(
        &self,
        user: UserId,
        points: Points,
        note: &str,
    ) -> Answer<Option<Points>> {
        let mut call = self.purse_call(&self.scripts.grant_points, &Purse::Points(user));
        call.arg(points.0).arg(MOST).arg(note);
        let balance: Option<i64> = self.scripts.grant_points.run_once(&self.link, &call).await?;
        Ok(balance.map(Points))
    }

    async fn purse(&self, purse: &Purse) -> Answer<PurseState> {
        let call = self.purse_call(&self.scripts.purse_view, purse);
        let (left, held, ends): (i64, i64, i64) =
            self.scripts.purse_view.run(&self.link, &call).await?;
        let resets_at = instant("purse", ends)?;
        Ok(PurseState { left, held: held.unsigned_abs(), resets_at })
    }

    async fn points_ledger(
        &self,
        user: UserId,
        before: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<PointsEntry>> {
        let purse = Purse::Points(user);
        // What is past its deadline belongs into the ledger.
        self.purse(&purse).await?;
        let is_cursor = |text: &str| text.split('-').all(|part| part.parse::<u64>().is_ok());
        if before.is_some_and(|cursor| !is_cursor(cursor) || cursor.matches('-').count() > 1) {
            return Ok(Vec::new());
        }
        let from = before.map_or_else(|| "+".into(), |cursor| format!("({cursor}"));
        let [.., ledger] = keys::purse(&purse);
        let mut range = redis::cmd("XREVRANGE");
        range.arg(ledger).arg(from).arg("-").arg("COUNT").arg(limit);
        let entries: Vec<(String, (Value, String))> = self.link.ask(&range).await?;
        entries.into_iter().map(|(cursor, (_, row))| entry(cursor, &row)).collect()
    }
}

#[async_trait]
impl Purses for RedisStore {
    async fn admit(&self, token: &str, per_minute: NonZeroU32) -> Answer<Result<(), Duration>> {
        // Who is too fast for one gateway is too fast for all: Redis need not hear of it.
        if let Err(wait) = self.rates.check(token, per_minute) {
            return Ok(Err(wait));
        }
        let mut call = self.scripts.rate.call(&[keys::rate(token)]);
        call.arg(self.clock_ms()).arg(per_minute.get());
        // Sent once: one that was counted twice would be refused too early.
        let wait: u64 = self.scripts.rate.run_once(&self.link, &call).await?;
        Ok(if wait == 0 { Ok(()) } else { Err(Duration::from_millis(wait)) })
    }

    async fn hold(&self, ask: HoldAsk<'_>) -> Answer<Result<Timestamp, HoldRefusal>> {
        let HoldAsk { key, most } = ask;
        let mut call = self.purse_call(&self.scripts.hold, &key.purse);
        call.arg(key.id.to_string())
            .arg(most.min(MOST))
            .arg(key.estimate.min(MOST))
            .arg(millis(self.options.deadline))
            .arg(&*key.note);
        let answer: Vec<String> = self.scripts.hold.run(&self.link, &call).await?;
        let words: Vec<&str> = answer.iter().map(String::as_str).collect();
        let at =
            |text: &str| instant("hold", text.parse().map_err(|error| corrupt("hold", error))?);
        match words[..] {
            ["held", now] => {
                let now = at(now)?.ok_or_else(|| corrupt("hold", "it has no time"))?;
                Ok(Ok(now))
            }
            ["busy"] => Ok(Err(HoldRefusal::Busy)),
            ["empty", ends] => Ok(Err(HoldRefusal::Empty { resets_at: at(ends)? })),
            _ => Err(corrupt("hold", "the script answered something else")),
        }
    }

    async fn end_holds(&self, batch: Vec<HoldEnd>) -> Answer<()> {
        let term = self.link.term();
        let ended = self.end_all(&batch).await;
        self.remember(batch, term, ended)
    }

    async fn renew_holds(&self, holds: &[HoldKey]) -> Answer<()> {
        let purses = by_purse(holds, |hold| &hold.purse);
        let calls = purses.iter().flat_map(|(purse, holds)| {
            holds.chunks(A_BATCH).map(move |some| async move {
                let mut call = self.purse_call(&self.scripts.renew_holds, purse);
                call.arg(millis(self.options.deadline));
                for hold in some {
                    call.arg(hold.id.to_string());
                }
                self.scripts.renew_holds.run(&self.link, &call).await
            })
        });
        all_of(join_all(calls).await)
    }
}

impl RedisStore {
    /// Begins a call of a script on a purse.
    fn purse_call(&self, script: &Loaded, purse: &Purse) -> Cmd {
        let (kind, limit) = match purse {
            Purse::Points(_) => ("points", 0),
            Purse::Budget { limit, .. } => ("budget", tokens(*limit)),
        };
        let mut call = script.call(&keys::purse(purse));
        call.arg(self.clock_ms()).arg(kind).arg(limit).arg(millis(LATE)).arg(millis(TOMBSTONE));
        call
    }

    /// Ends holds; safe to repeat.
    pub(super) async fn end_all(&self, batch: &[HoldEnd]) -> Answer<()> {
        let purses = by_purse(batch, |end| &end.hold.purse);
        let calls = purses.iter().flat_map(|(purse, ends)| {
            ends.chunks(A_BATCH).map(move |some| self.end_some(purse, some))
        });
        all_of(join_all(calls).await)
    }

    async fn end_some(&self, purse: &Purse, ends: &[&HoldEnd]) -> Answer<()> {
        let mut call = self.purse_call(&self.scripts.end_holds, purse);
        call.arg(millis(EARLY_TOMBSTONE));
        for HoldEnd { hold, kind, amount } in ends {
            call.arg(hold.id.to_string())
                .arg(hold.granted_at.as_millisecond())
                .arg(kind_number(*kind))
                .arg((*amount).min(MOST))
                .arg(&*hold.note);
        }
        self.scripts.end_holds.run(&self.link, &call).await
    }
}

/// Items by their purse. One batch has few purses.
fn by_purse<'a, T>(
    items: &'a [T],
    purse: impl Fn(&'a T) -> &'a Purse,
) -> Vec<(&'a Purse, Vec<&'a T>)> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut purses: Vec<(&Purse, Vec<&T>)> = Vec::new();
    for item in items {
        let [name, ..] = keys::purse(purse(item));
        let place = *places.entry(name).or_insert(purses.len());
        match purses.get_mut(place) {
            Some((_, some)) => some.push(item),
            None => purses.push((purse(item), vec![item])),
        }
    }
    purses
}

/// Reads `kind points balance time hold note`.
fn entry(cursor: String, row: &str) -> Answer<PointsEntry> {
    let words: Vec<&str> = row.splitn(6, ' ').collect();
    let [kind, points, balance, at, hold, note] = words[..] else {
        return Err(corrupt("entry", "it has not six fields"));
    };
    let number = |text: &str| text.parse::<i64>().map_err(|error| corrupt("entry", error));
    let kind = match kind {
        "g" => EntryKind::Grant,
        "1" => EntryKind::Exact,
        "2" => EntryKind::Estimated,
        "3" => EntryKind::Correction,
        other => return Err(corrupt("entry", format!("kind {other}"))),
    };
    Ok(PointsEntry {
        cursor,
        at: Timestamp::from_millisecond(number(at)?).map_err(|error| corrupt("entry", error))?,
        kind,
        points: Points(number(points)?),
        balance: Points(number(balance)?),
        hold: match hold {
            "-" => None,
            id => Some(id.parse().map_err(|error| corrupt("entry", error))?),
        },
        note: note.to_owned(),
    })
}
