//! What a person sets of an account.

use crate::accounts::{Account, AccountId, Origin, Resets, Tokens};

use super::super::{Answer, StoreError};
use super::renewal::{TRIES, changes_all_the_time};
use super::view::packed_limit;
use super::{RedisStore, from_json, to_json};

impl RedisStore {
    pub(super) async fn rename(&self, id: AccountId, name: &str) -> Answer<Option<()>> {
        for _ in 0..TRIES {
            let Some(family) = self.family_now(id).await? else { return Ok(None) };
            let before = redis::cmd("HGET").arg(family.fixed()).arg(id.0).take();
            let before: Option<String> = self.link.ask(&before).await?;
            let Some(before) = before else { return Ok(None) };
            let account: Account = from_json("account", &before)?;
            let was = account.name.clone();
            let after = to_json("account", &Account { name: name.to_owned(), ..account })?;
            let mut call = self.call(&self.scripts.rename, &family, &Resets::default());
            call.arg(id.0).arg(was).arg(name).arg(before).arg(after);
            let renamed: u8 = self.scripts.rename.run(&self.link, &call).await?;
            self.places.forget(id);
            match renamed {
                0 => {}
                1 => return Ok(Some(())),
                3 => return Ok(None),
                _ => return Err(StoreError::Taken(format!("an account named {name}"))),
            }
        }
        Err(changes_all_the_time())
    }

    pub(super) async fn give_limit(
        &self,
        account: AccountId,
        limit: Option<Tokens>,
        origin: Origin,
        resets: &Resets,
    ) -> Answer<Option<()>> {
        let Some(family) = self.family_now(account).await? else { return Ok(None) };
        let (limit, origin) = packed_limit(limit, origin);
        let mut call = self.call(&self.scripts.set_limit, &family, resets);
        call.arg(account.0).arg(limit).arg(origin);
        let found: bool = self.scripts.set_limit.run(&self.link, &call).await?;
        Ok(found.then_some(()))
    }
}
