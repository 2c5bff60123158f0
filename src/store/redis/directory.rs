//! The directory's verbs: rare, so each is a few commands where no count depends on it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::accounts::{
    Account, AccountId, AccountState, ChargeRow, GatewayTokenRow, Health, Identity, Moving,
    NewAccount, Origin, PlatformId, Policy, PoolId, Priority, Record, Resets, TokenId, Tokens,
    Total, User, UserId,
};

use super::super::{Answer, Directory, StoreError};
use super::keys::{self, Family};
use super::view::packed;
use super::{RedisStore, from_json, to_json};

#[async_trait]
impl Directory for RedisStore {
    async fn add_user(&self, name: &str) -> Answer<User> {
        let user = User {
            id: UserId(0),
            name: name.into(),
            pool: PoolId(0),
            created_at: self.now().await?,
            identity: Identity::default(),
        };
        let json = to_json("user", &user)?;
        // The script fills in the ids that it counts.
        let (head, rest) = json.split_once("\"id\":0").unwrap_or((&json, ""));
        let (middle, tail) = rest.split_once("\"pool\":0").unwrap_or((rest, ""));
        let mut call = self.scripts.add_user.call(&keys::USERS);
        call.arg(name).arg(format!("{head}\"id\":")).arg(format!("{middle}\"pool\":")).arg(tail);
        let added: Option<String> = self.scripts.add_user.run_once(&self.link, &call).await?;
        match added {
            Some(json) => from_json("user", &json),
            None => Err(StoreError::Taken(format!("a user named {name}"))),
        }
    }

    async fn reserve_user_id(&self) -> Answer<UserId> {
        let count = redis::cmd("HINCRBY").arg(keys::USERS[2]).arg("user").arg(1).take();
        self.link.ask(&count).await.map(UserId)
    }

    async fn enrol(&self, user: User) -> Answer<()> {
        self.add_whole(user).await
    }

    async fn user_named(&self, name: &str) -> Answer<Option<User>> {
        let id = redis::cmd("HGET").arg(keys::USERS[0]).arg(name).take();
        // Who is not there is looked for as long as who is: a sign-in shall not tell.
        let id = self.link.ask::<Option<i64>>(&id).await?.unwrap_or_default();
        self.user_row(UserId(id)).await
    }

    async fn user(&self, id: UserId) -> Answer<Option<User>> {
        self.user_row(id).await
    }

    async fn users(&self) -> Answer<Vec<User>> {
        self.user_rows().await
    }

    async fn set_identity(&self, id: UserId, before: &Identity, after: Identity) -> Answer<bool> {
        self.swap_identity(None, id, before, &after).await
    }

    async fn set_identity_beside(
        &self,
        other: &User,
        id: UserId,
        before: &Identity,
        after: Identity,
    ) -> Answer<bool> {
        self.swap_identity(Some(other), id, before, &after).await
    }

    async fn reserve_token_id(&self) -> Answer<TokenId> {
        self.count(keys::TOKEN_IDS).await.map(TokenId)
    }

    async fn add_token(&self, row: GatewayTokenRow) -> Answer<()> {
        let taken = || StoreError::Taken("this token".into());
        let id = row.grant.id;
        let place = redis::cmd("SET").arg(keys::token_place(id)).arg(&row.index).arg("NX").take();
        if !self.link.ask_once::<bool>(&place).await? {
            return Err(taken());
        }
        let of_user = redis::cmd("HSET")
            .arg(keys::tokens_of(row.grant.user))
            .arg(id.0)
            .arg(&row.index)
            .take();
        self.link.ask::<()>(&of_user).await?;
        // Last, because this is what grants.
        let json = to_json("token", &row)?;
        let grants = redis::cmd("HSETNX").arg(keys::token(&row.index)).arg("row").arg(json).take();
        if self.link.ask_once::<bool>(&grants).await? { Ok(()) } else { Err(taken()) }
    }

    async fn tokens_of(&self, user: UserId) -> Answer<Vec<GatewayTokenRow>> {
        let indexes = redis::cmd("HGETALL").arg(keys::tokens_of(user)).take();
        let indexes: BTreeMap<i64, String> = self.link.ask(&indexes).await?;
        let rows = try_join_all(indexes.values().map(|index| self.token_row(index))).await?;
        Ok(rows.into_iter().flatten().collect())
    }

    async fn revoke_token(&self, token: TokenId) -> Answer<bool> {
        self.revoke_rows(token).await
    }

    async fn change_token(&self, old: &GatewayTokenRow, new: GatewayTokenRow) -> Answer<bool> {
        self.change_row(old, &new).await
    }

    async fn token_uses(&self, user: UserId) -> Answer<BTreeMap<TokenId, Timestamp>> {
        self.uses_of(user).await
    }

    async fn reserve_account_id(&self) -> Answer<AccountId> {
        self.count(keys::ACCOUNT_IDS).await.map(AccountId)
    }

    async fn add_account(&self, new: NewAccount) -> Answer<()> {
        let family = Family { pool: new.pool, platform: new.platform.clone() };
        // Where it lies is said before it lies there: an account is never out of reach.
        let place = keys::account_place(new.id);
        let place = redis::cmd("SET").arg(place).arg(family.text()).arg("NX").arg("GET").take();
        let before: Option<String> = self.link.ask(&place).await?;
        if before.is_some_and(|before| before != family.text()) {
            return Err(StoreError::Taken(format!("an account {}", new.id)));
        }
        let known = redis::cmd("SADD").arg(keys::FAMILIES).arg(family.text()).take();
        self.link.ask::<()>(&known).await?;
        self.roster.grow();
        let zones: Vec<_> = new.windows.iter().filter_map(|window| window.period.zone()).collect();
        if !zones.is_empty() {
            let known = redis::cmd("SADD").arg(keys::ZONES).arg(zones).take();
            self.link.ask::<()>(&known).await?;
        }

        let windows: Vec<_> = new.windows.iter().map(packed).collect();
        let (name, priority) = (new.name.clone(), new.priority);
        let account = fixed(new, self.now().await?);
        let mut call = self.call(&self.scripts.add_account, &family, &Resets::default());
        call.arg(account.id.0).arg(account.platform.as_str()).arg(&name);
        call.arg(to_json("account", &account)?).arg(u8::from(priority));
        for (kind, period, limit, origin) in windows {
            call.arg(kind).arg(period).arg(limit).arg(origin);
        }
        match self.scripts.add_account.run_once::<u8>(&self.link, &call).await? {
            1 => Ok(()),
            2 => Err(StoreError::Gone(format!("pool {}", family.pool))),
            _ => Err(StoreError::Taken(format!("an account named {name}"))),
        }
    }

    async fn accounts_in(&self, pools: &[PoolId], resets: &Resets) -> Answer<Vec<AccountState>> {
        self.view(pools, resets).await
    }

    async fn account_in(
        &self,
        pools: &[PoolId],
        account: AccountId,
        resets: &Resets,
    ) -> Answer<Option<AccountState>> {
        self.view_one(pools, account, resets).await
    }

    async fn remove_account(&self, id: AccountId) -> Answer<bool> {
        let Some((families, number)) = self.bind_for_nowhere(id).await? else { return Ok(false) };
        for family in &families {
            self.remove_for_good(family, id, number).await?;
            self.forget_charges(family, id).await?;
            self.forget_sums(family, id).await?;
        }
        self.forget_notices(id).await?;
        let users: Vec<UserId> = self.users().await?.into_iter().map(|user| user.id).collect();
        self.forget(id, &users).await?;
        // Last: until then whoever tries again finds what is left.
        self.link.ask::<()>(&redis::cmd("DEL").arg(keys::former_places(id)).take()).await?;
        self.link.ask::<()>(&redis::cmd("DEL").arg(keys::account_place(id)).take()).await?;
        self.places.forget(id);
        Ok(true)
    }

    async fn move_account(&self, before: &Account, after: Account) -> Answer<Moving> {
        self.move_to(before, &after).await
    }

    async fn end_move(&self, account: AccountId) -> Answer<()> {
        self.end_broken_move(account).await
    }

    async fn set_health(&self, account: AccountId, health: Health) -> Answer<Option<()>> {
        let moved = self.move_health(account, None, &health).await?;
        Ok(moved.then_some(()))
    }

    async fn amend_health(
        &self,
        account: AccountId,
        seen: &Health,
        health: Health,
    ) -> Answer<bool> {
        self.move_health(account, Some(seen), &health).await
    }

    async fn set_priority(&self, account: AccountId, priority: Priority) -> Answer<Option<()>> {
        self.give_priority(account, priority).await
    }

    async fn rename_account(&self, account: AccountId, name: &str) -> Answer<Option<()>> {
        self.rename(account, name).await
    }

    async fn set_limit(
        &self,
        account: AccountId,
        limit: Option<Tokens>,
        origin: Origin,
        resets: &Resets,
    ) -> Answer<Option<()>> {
        self.give_limit(account, limit, origin, resets).await
    }

    async fn set_pool_policy(&self, pool: PoolId, policy: Option<Policy>) -> Answer<()> {
        self.give_policy(pool, policy).await
    }

    async fn pool_policy(&self, pool: PoolId) -> Answer<Option<Policy>> {
        self.own_policy(pool).await
    }

    async fn records_of(
        &self,
        user: UserId,
        before: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<Record>> {
        self.record_page(user, None, before, limit).await
    }

    async fn records_on(
        &self,
        user: UserId,
        account: AccountId,
        before: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<Record>> {
        self.record_page(user, Some(account), before, limit).await
    }

    async fn totals_of(&self, user: UserId, first: Date, last: Date) -> Answer<Vec<Total>> {
        self.totals(user, first, last).await
    }

    async fn charges(
        &self,
        pool: PoolId,
        platform: &PlatformId,
        after: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<ChargeRow>> {
        self.charge_rows(pool, platform, after, limit).await
    }
}

impl RedisStore {
    async fn count(&self, counter: &str) -> Answer<i64> {
        self.link.ask(&redis::cmd("INCR").arg(counter).take()).await
    }
}

fn fixed(new: NewAccount, created_at: Timestamp) -> Account {
    Account {
        id: new.id,
        pool: new.pool,
        owner: new.owner,
        owner_proof: new.owner_proof,
        platform: new.platform,
        name: new.name,
        dialect: new.dialect,
        sealed: new.sealed,
        generation: new.generation,
        expires_at: new.expires_at,
        created_at,
        short_key: None,
    }
}
