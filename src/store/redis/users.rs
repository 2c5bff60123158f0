//! Users, and what they may do: two hashes in one slot.

use std::collections::HashMap;

use crate::accounts::{Identity, User, UserId};

use super::super::{Answer, StoreError};
use super::{RedisStore, from_json, keys, to_json};

impl RedisStore {
    pub(super) async fn user_row(&self, id: UserId) -> Answer<Option<User>> {
        let user = redis::cmd("HGET").arg(keys::USERS[1]).arg(id.0).take();
        let (user, identity) =
            futures_util::try_join!(self.link.ask::<Option<String>>(&user), self.identity_of(id))?;
        let Some(user) = user else { return Ok(None) };
        let user: User = from_json("user", &user)?;
        Ok(Some(with_identity(user, identity.as_deref())?))
    }

    pub(super) async fn user_rows(&self) -> Answer<Vec<User>> {
        let all = redis::cmd("HVALS").arg(keys::USERS[1]).take();
        let identities = redis::cmd("HGETALL").arg(keys::IDENTITIES).take();
        let (all, identities) = futures_util::try_join!(
            self.link.ask::<Vec<String>>(&all),
            self.link.ask::<HashMap<i64, String>>(&identities)
        )?;
        let whole = |json: &String| {
            let user: User = from_json("user", json)?;
            let identity = identities.get(&user.id.0).map(String::as_str);
            with_identity(user, identity)
        };
        let mut users = all.iter().map(whole).collect::<Answer<Vec<User>>>()?;
        users.sort_by_key(|user| user.id);
        Ok(users)
    }

    /// Those of these users that there are; one id at least.
    pub(super) async fn some_user_rows(&self, ids: &[UserId]) -> Answer<Vec<User>> {
        let of = |key: &str| {
            let mut some = redis::cmd("HMGET");
            some.arg(key);
            ids.iter().for_each(|id| _ = some.arg(id.0));
            some
        };
        let (users, identities) = (of(keys::USERS[1]), of(keys::IDENTITIES));
        let (users, identities) = futures_util::try_join!(
            self.link.ask::<Vec<Option<String>>>(&users),
            self.link.ask::<Vec<Option<String>>>(&identities)
        )?;
        let found = users.iter().zip(&identities).filter_map(|(user, identity)| {
            let user = from_json::<User>("user", user.as_deref()?);
            Some(user.and_then(|user| with_identity(user, identity.as_deref())))
        });
        found.collect()
    }

    /// Gives a user another identity, where somebody else still has its own, if one is named.
    pub(super) async fn swap_identity(
        &self,
        other: Option<&User>,
        id: UserId,
        before: &Identity,
        after: &Identity,
    ) -> Answer<bool> {
        let is_user = redis::cmd("HEXISTS").arg(keys::USERS[1]).arg(id.0).take();
        if !self.link.ask::<bool>(&is_user).await? {
            return Ok(false);
        }
        let Some(held) = self.text_of(id, before).await? else { return Ok(false) };
        let mut call = self.scripts.swap_fixed.call(&[keys::IDENTITIES]);
        call.arg(id.0).arg(held).arg(to_json("identity", after)?);
        if let Some(other) = other {
            let Some(held) = self.text_of(other.id, &other.identity).await? else {
                return Ok(false);
            };
            call.arg(other.id.0).arg(held);
        }
        self.scripts.swap_fixed.run_once(&self.link, &call).await
    }

    /// The text of an identity as it lies here, '' where none was ever set; `None`: it is
    /// another one by now.
    async fn text_of(&self, id: UserId, seen: &Identity) -> Answer<Option<String>> {
        let Some(held) = self.identity_of(id).await? else {
            return Ok(seen.is_blank().then(String::new));
        };
        Ok((from_json::<Identity>("identity", &held)? == *seen).then_some(held))
    }

    pub(super) async fn add_whole(&self, user: User) -> Answer<()> {
        let identity = to_json("identity", &user.identity)?;
        let user = User { identity: Identity::default(), ..user };
        let [names, users, _] = keys::USERS;
        let mut call = self.scripts.enrol.call(&[names, users, keys::IDENTITIES]);
        call.arg(&user.name).arg(user.id.0).arg(to_json("user", &user)?).arg(identity);
        match self.scripts.enrol.run::<bool>(&self.link, &call).await? {
            true => Ok(()),
            false => Err(StoreError::Taken(format!("a user named {}", user.name))),
        }
    }

    async fn identity_of(&self, id: UserId) -> Answer<Option<String>> {
        self.link.ask(&redis::cmd("HGET").arg(keys::IDENTITIES).arg(id.0).take()).await
    }
}

fn with_identity(user: User, identity: Option<&str>) -> Answer<User> {
    match identity {
        Some(json) => Ok(User { identity: from_json("identity", json)?, ..user }),
        None => Ok(user),
    }
}
