//! Moving an account's health.

use crate::accounts::{AccountId, Health, Resets};

use super::super::Answer;
use super::{RedisStore, to_json};

/// Where a move may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// A person moves it.
    Anywhere,
    /// A failed call moves it.
    ToWorse,
}

impl RedisStore {
    /// Moves an account's health; `false` when there is no such account.
    pub(super) async fn move_health(
        &self,
        account: AccountId,
        health: &Health,
        to: Move,
    ) -> Answer<bool> {
        let Some(family) = self.family_of(account).await? else { return Ok(false) };
        let (until, out_of_quota) = match health {
            Health::Cooling { until, out_of_quota, .. } => (until.as_millisecond(), *out_of_quota),
            _ => (0, false),
        };
        let json =
            if *health == Health::Active { String::new() } else { to_json("health", health)? };
        let mut call = self.call(&self.scripts.set_health, &family, &Resets::default());
        call.arg(account.0)
            .arg(u8::from(to == Move::ToWorse))
            .arg(status_number(health))
            .arg(until)
            .arg(u8::from(out_of_quota))
            .arg(json);
        self.scripts.set_health.run(&self.link, &call).await
    }

    pub(super) async fn end_pause(&self, account: AccountId) -> Answer<()> {
        let Some(family) = self.family_of(account).await? else { return Ok(()) };
        let mut call = self.call(&self.scripts.recovered, &family, &Resets::default());
        call.arg(account.0);
        self.scripts.recovered.run(&self.link, &call).await
    }
}

/// A status as scripts number it.
fn status_number(health: &Health) -> i64 {
    match health {
        Health::Active => 0,
        Health::Cooling { .. } => 1,
        Health::Expired { .. } => 2,
        Health::Banned { .. } => 3,
        Health::Locked { .. } => 4,
        Health::Disabled { .. } => 5,
    }
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
