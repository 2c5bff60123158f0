//! Short-lived keys of accounts, and who of all gateways makes the next.

use std::time::Duration;

use crate::accounts::{Account, AccountId, LeaseId, ShortKey};

use super::super::{Answer, StoreError};
use super::arguments::millis;
use super::{RedisStore, from_json, to_json};

/// A fixed part that changes under each of so many tries is left as it is.
pub(super) const TRIES: usize = 8;

impl RedisStore {
    /// Claims an account's renewal; a life of nothing ends the claim.
    pub(super) async fn claim(
        &self,
        account: AccountId,
        claim: LeaseId,
        life: Duration,
    ) -> Answer<bool> {
        let Some(family) = self.family_of(account).await? else { return Ok(false) };
        let mut call = self.scripts.claim.call(&[family.renewal(account)]);
        call.arg(self.clock_ms()).arg(claim.to_string()).arg(millis(life));
        let granted = self.scripts.claim.run(&self.link, &call).await?;
        // Whoever has it now, or had it, may have changed the account.
        self.places.forget(account);
        Ok(granted)
    }

    /// Changes the account's fixed part, where nobody else does at the same time.
    pub(super) async fn put_short_key(&self, id: AccountId, key: ShortKey) -> Answer<bool> {
        let Some(family) = self.family_of(id).await? else { return Ok(false) };
        for _ in 0..TRIES {
            let before = redis::cmd("HGET").arg(family.fixed()).arg(id.0).take();
            let before: Option<String> = self.link.ask(&before).await?;
            let Some(before) = before else { return Ok(false) };
            let mut account: Account = from_json("account", &before)?;
            if !account.take_short_key(key.clone()) {
                return Ok(false);
            }
            let mut call = self.scripts.swap_fixed.call(&[family.fixed()]);
            call.arg(id.0).arg(before).arg(to_json("account", &account)?);
            let swapped = self.scripts.swap_fixed.run::<bool>(&self.link, &call).await?;
            self.places.forget(id);
            if swapped {
                return Ok(true);
            }
        }
        Err(changes_all_the_time())
    }
}

pub(super) fn changes_all_the_time() -> StoreError {
    StoreError::Unavailable("an account changes all the time".into())
}
