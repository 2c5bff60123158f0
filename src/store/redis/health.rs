//! What moves an account's health, and what platforms tell of its windows.

use jiff::Timestamp;

use crate::accounts::{AccountId, EARLY_TRY, End, Harm, Health, Period, Resets, Told};

use super::super::{Answer, StoreError};
use super::arguments::{millis, tokens};
use super::{RedisStore, corrupt, instant};

/// A health in parts: the number of its status, the end of its pause in ms, whether it is
/// for its quota, when one request may try it in ms, and why.
pub(super) type Parts = (i64, i64, u8, i64, String);

impl RedisStore {
    /// Moves an account's health; `false` when there is no such account, or it is no longer
    /// as it was seen.
    pub(super) async fn move_health(
        &self,
        account: AccountId,
        seen: Option<&Health>,
        health: &Health,
    ) -> Answer<bool> {
        let Some(family) = self.family_now(account).await? else { return Ok(false) };
        let (status, until, quota, tries_at, reason) = parts(health);
        let mut call = self.call(&self.scripts.set_health, &family, &Resets::default());
        call.arg(account.0).arg(status).arg(until).arg(quota).arg(tries_at).arg(reason);
        if let Some(seen) = seen {
            let (status, _, _, _, reason) = parts(seen);
            call.arg(status).arg(reason);
        }
        self.scripts.set_health.run(&self.link, &call).await
    }

    /// Takes in a failed call; answers whether the account moved.
    ///
    /// Sent once: sent again it would count twice.
    pub(super) async fn suffer(
        &self,
        account: AccountId,
        granted_at: Timestamp,
        harm: &Harm,
    ) -> Answer<bool> {
        let Some(family) = self.family_of(account).await? else { return Ok(false) };
        let mut call = self.call(&self.scripts.worsen, &family, &Resets::default());
        call.arg(account.0).arg(granted_at.as_millisecond());
        match harm {
            Harm::Stuck(Health::Active | Health::Cooling { .. }) => return Ok(false),
            Harm::Stuck(health) => {
                let (status, _, quota, _, reason) = parts(health);
                call.arg("stuck").arg(status).arg(quota).arg(reason);
            }
            Harm::Rest { rest, reason, out_of_quota } => {
                call.arg("rest").arg(COOLING).arg(u8::from(*out_of_quota)).arg(reason);
                call.arg(millis(EARLY_TRY)).arg(millis(rest.after));
                for at in &rest.at {
                    call.arg(at.as_millisecond());
                }
            }
            Harm::Strike { scale, reason, out_of_quota } => {
                call.arg("strike").arg(COOLING).arg(u8::from(*out_of_quota)).arg(reason);
                call.arg(scale.forgiven).arg(millis(scale.first)).arg(millis(scale.longest));
            }
        }
        self.scripts.worsen.run_once(&self.link, &call).await
    }

    pub(super) async fn end_pause(&self, account: AccountId) -> Answer<()> {
        let Some(family) = self.family_of(account).await? else { return Ok(()) };
        let mut call = self.call(&self.scripts.recovered, &family, &Resets::default());
        call.arg(account.0);
        self.scripts.recovered.run(&self.link, &call).await
    }

    /// Takes in what a platform told of an account's windows.
    pub(super) async fn hear(&self, told: &Told, resets: &Resets) -> Answer<()> {
        let Some(family) = self.family_of(told.account).await? else { return Ok(()) };
        let mut call = self.call(&self.scripts.learn, &family, resets);
        call.arg(told.account.0);
        for window in &told.windows {
            match &window.period {
                Period::Day { .. } => call.arg("day").arg(""),
                Period::FromFirstUse { seconds } => call.arg("use").arg(*seconds),
            };
            for count in [window.limit, window.left] {
                call.arg(count.map_or(-1, |count| tokens(count).cast_signed()));
            }
            match window.end {
                None => call.arg(0).arg(0),
                Some(End::At(at)) => call.arg(at.as_millisecond()).arg(0),
                Some(End::In(wait)) => call.arg(0).arg(millis(wait)),
            };
        }
        self.scripts.learn.run(&self.link, &call).await
    }
}

const COOLING: i64 = 1;

fn parts(health: &Health) -> Parts {
    let reason = health.reason().unwrap_or_default().to_owned();
    let ms = Timestamp::as_millisecond;
    match health {
        Health::Active => (0, 0, 0, 0, reason),
        Health::Cooling { until, out_of_quota, tries_at, .. } => {
            (COOLING, ms(*until), u8::from(*out_of_quota), tries_at.map_or(0, ms), reason)
        }
        Health::Expired { .. } => (2, 0, 0, 0, reason),
        Health::Banned { .. } => (3, 0, 0, 0, reason),
        Health::Locked { .. } => (4, 0, 0, 0, reason),
        Health::Disabled { .. } => (5, 0, 0, 0, reason),
    }
}

/// A health as a script shows it.
pub(super) fn whole((status, until, quota, tries_at, reason): Parts) -> Answer<Health> {
    Ok(match status {
        0 => Health::Active,
        COOLING => Health::Cooling {
            until: instant("health", until)?.ok_or_else(|| unreadable(status))?,
            reason,
            out_of_quota: quota != 0,
            tries_at: instant("health", tries_at)?,
        },
        2 => Health::Expired { reason },
        3 => Health::Banned { reason },
        4 => Health::Locked { reason },
        5 => Health::Disabled { reason },
        7 => Health::on_its_way(),
        other => return Err(unreadable(other)),
    })
}

fn unreadable(status: i64) -> StoreError {
    corrupt("health", format!("status {status}"))
}

/// The word of a status that needs a person.
pub(super) fn status_word(number: i64) -> &'static str {
    match number {
        2 => "expired",
        3 => "banned",
        4 => "locked",
        _ => "disabled",
    }
}
