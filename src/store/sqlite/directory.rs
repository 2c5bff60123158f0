//! The directory's verbs on the books.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::accounts::{
    Account, AccountId, AccountState, ChargeRow, GatewayTokenRow, Health, Identity, Moving,
    NewAccount, Origin, PlatformId, Policy, PoolId, Priority, Record, Resets, TokenId, Tokens,
    Total, User, UserId,
};

use super::super::{Answer, Directory};
use super::books::{Books, Counter};
use super::{SqliteStore, charges, records, removal, totals};

#[async_trait]
impl Directory for SqliteStore {
    async fn add_user(&self, name: &str) -> Answer<User> {
        self.desk.write(|books, now| books.add_user(name, now)).await?
    }

    async fn reserve_user_id(&self) -> Answer<UserId> {
        self.desk.write(|books, _| UserId(books.next_id(Counter::User))).await
    }

    async fn enrol(&self, user: User) -> Answer<()> {
        self.desk.write(|books, _| books.enrol(user)).await?
    }

    async fn user_named(&self, name: &str) -> Answer<Option<User>> {
        self.desk
            .read(|books, _| books.people.users.values().find(|user| user.name == name).cloned())
    }

    async fn user(&self, id: UserId) -> Answer<Option<User>> {
        self.desk.read(|books, _| books.people.users.get(&id).cloned())
    }

    async fn users(&self) -> Answer<Vec<User>> {
        self.desk.read(|books, _| books.people.users.values().cloned().collect())
    }

    async fn set_identity(&self, id: UserId, before: &Identity, after: Identity) -> Answer<bool> {
        self.desk.write(|books, _| books.set_identity(id, before, after)).await
    }

    async fn set_identity_beside(
        &self,
        other: &User,
        id: UserId,
        before: &Identity,
        after: Identity,
    ) -> Answer<bool> {
        let change = |books: &mut Books, _| {
            let is = books.people.users.get(&other.id).map(|user| &user.identity);
            is == Some(&other.identity) && books.set_identity(id, before, after)
        };
        self.desk.write(change).await
    }

    async fn reserve_token_id(&self) -> Answer<TokenId> {
        self.desk.write(|books, _| TokenId(books.next_id(Counter::Token))).await
    }

    async fn add_token(&self, row: GatewayTokenRow) -> Answer<()> {
        self.desk.write(|books, _| books.add_token(row)).await?
    }

    async fn tokens_of(&self, user: UserId) -> Answer<Vec<GatewayTokenRow>> {
        self.desk.read(|books, _| {
            let rows = books.people.tokens.values().filter(|row| row.grant.user == user);
            rows.map(|row| (**row).clone()).collect()
        })
    }

    async fn revoke_token(&self, token: TokenId) -> Answer<bool> {
        self.desk.write(|books, now| books.revoke(token, now)).await
    }

    async fn change_token(&self, old: &GatewayTokenRow, new: GatewayTokenRow) -> Answer<bool> {
        self.desk.write(|books, _| books.change_token(old, new)).await
    }

    async fn token_uses(&self, user: UserId) -> Answer<BTreeMap<TokenId, Timestamp>> {
        self.desk.read(|books, _| books.people.uses_of(user))
    }

    async fn reserve_account_id(&self) -> Answer<AccountId> {
        self.desk.write(|books, _| AccountId(books.next_id(Counter::Account))).await
    }

    async fn add_account(&self, account: NewAccount) -> Answer<()> {
        self.desk.write(|books, now| books.add_account(account, now)).await?
    }

    async fn accounts_in(&self, pools: &[PoolId], resets: &Resets) -> Answer<Vec<AccountState>> {
        self.desk.read(|books, now| books.accounts_in(pools, now, resets))
    }

    async fn account_in(
        &self,
        pools: &[PoolId],
        account: AccountId,
        resets: &Resets,
    ) -> Answer<Option<AccountState>> {
        self.desk.read(|books, now| books.account_in(pools, account, now, resets))
    }

    async fn remove_account(&self, account: AccountId) -> Answer<bool> {
        let mut removed = self.desk.write(|books, _| books.remove_account(account)).await?;
        // What it had goes a slice with each commit, and others' commits come between.
        while self.look(removal::leaving).await?.contains(&account) {
            removed = true;
            self.desk.write(|books, _| books.let_leave()).await?;
        }
        Ok(removed)
    }

    async fn move_account(&self, before: &Account, after: Account) -> Answer<Moving> {
        self.desk.write(|books, now| books.move_account(before, after, now)).await?
    }

    /// A move is one commit here.
    async fn end_move(&self, _: AccountId) -> Answer<()> {
        Ok(())
    }

    async fn set_health(&self, account: AccountId, health: Health) -> Answer<Option<()>> {
        self.desk.write(|books, now| books.set_health(account, health, now)).await
    }

    async fn amend_health(
        &self,
        account: AccountId,
        seen: &Health,
        health: Health,
    ) -> Answer<bool> {
        let seen = seen.clone();
        self.desk.write(move |books, now| books.amend_health(account, &seen, health, now)).await
    }

    async fn set_priority(&self, account: AccountId, priority: Priority) -> Answer<Option<()>> {
        self.desk.write(|books, now| books.set_priority(account, priority, now)).await
    }

    async fn rename_account(&self, account: AccountId, name: &str) -> Answer<Option<()>> {
        self.desk.write(|books, _| books.rename(account, name)).await?
    }

    async fn set_limit(
        &self,
        account: AccountId,
        limit: Option<Tokens>,
        origin: Origin,
        resets: &Resets,
    ) -> Answer<Option<()>> {
        self.desk.write(|books, now| books.set_limit(account, limit, origin, now, resets)).await
    }

    async fn set_pool_policy(&self, pool: PoolId, policy: Option<Policy>) -> Answer<()> {
        self.desk.write(|books, now| books.set_policy(pool, policy, now)).await
    }

    async fn pool_policy(&self, pool: PoolId) -> Answer<Option<Policy>> {
        self.desk.read(|books, _| books.own_policy(pool))
    }

    async fn records_of(
        &self,
        user: UserId,
        before: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<Record>> {
        let before = before.map(str::to_owned);
        self.look_at_all(move |conn| records::page(conn, user, None, before.as_deref(), limit))
            .await
    }

    async fn records_on(
        &self,
        user: UserId,
        account: AccountId,
        before: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<Record>> {
        let before = before.map(str::to_owned);
        self.look_at_all(move |conn| {
            records::page(conn, user, Some(account), before.as_deref(), limit)
        })
        .await
    }

    async fn totals_of(&self, user: UserId, first: Date, last: Date) -> Answer<Vec<Total>> {
        self.look_at_all(move |conn| totals::read(conn, user, first, last)).await
    }

    async fn charges(
        &self,
        pool: PoolId,
        platform: &PlatformId,
        after: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<ChargeRow>> {
        let (platform, after) = (platform.clone(), after.map(str::to_owned));
        self.look_at_all(move |conn| charges::page(conn, pool, &platform, after.as_deref(), limit))
            .await
    }
}
