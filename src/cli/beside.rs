//! A directory that lies with a live gateway: each verb travels to its operator
//! listener, with a proof under the key ring.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use crate::accounts::{
    Account, AccountId, AccountState, AuditHead, AuditRow, ChargeRow, Closing, GatewayTokenRow,
    Health, Identity, KeptPage, KeptRow, Membership, Moving, NewAccount, Origin, PlatformId,
    Points, PointsEntry, Policy, PoolId, Priority, Purse, PurseState, Record, Resets, Rewrap,
    Seating, Team, TokenId, Tokens, Total, User, UserId,
};
use crate::store::{
    Answer, AuditLog, Directory, Errand, Reply, Sealings, StoreError, TeamVerb, Teams, Treasury,
    Verb, errand_proof,
};
use crate::telemetry::clock;
use crate::vault::{MacPurpose, Vault};

const PATIENCE: Duration = Duration::from_secs(10);
const MOST_BYTES: usize = 64 << 20;

/// The directory of a gateway that runs.
pub(super) struct Beside {
    operator: SocketAddr,
    vault: Arc<Vault>,
}

impl Beside {
    /// The gateway whose operator listener is there.
    pub(super) fn new(operator: SocketAddr, vault: Arc<Vault>) -> Self {
        Self { operator, vault }
    }

    async fn ask<T: DeserializeOwned>(&self, verb: Verb) -> Answer<T> {
        let asked = tokio::time::timeout(PATIENCE, self.send(verb)).await;
        let reply = asked.map_err(|_| self.unreachable("it does not answer"))??;
        match reply {
            Reply::Done(value) => serde_json::from_value(value)
                .map_err(|error| self.unreachable(&format!("its answer can't be read: {error}"))),
            Reply::Taken(what) => Err(StoreError::Taken(what)),
            Reply::Gone(what) => Err(StoreError::Gone(what)),
            Reply::Full(what) => Err(StoreError::Full(what)),
            Reply::Failed(why) => Err(StoreError::Unavailable(why)),
        }
    }

    async fn send(&self, verb: Verb) -> Answer<Reply> {
        let failed = |error: &dyn std::fmt::Display| self.unreachable(&error.to_string());
        let nonce = getrandom::u64().map_err(|error| failed(&error))?;
        let nonce = URL_SAFE_NO_PAD.encode(nonce.to_be_bytes());
        let errand = Errand { at_ms: clock::now_ms(), nonce, verb };
        let text = serde_json::to_string(&errand).map_err(|error| failed(&error))?;
        let proof = self.vault.mac(MacPurpose::Operator, &errand_proof(&text));
        let request = http::Request::post("/operator/directory")
            .header("host", self.operator.to_string())
            .header(CONTENT_TYPE, "application/json")
            .header("x-tributary-proof", proof)
            .body(Full::new(Bytes::from(text)))
            .map_err(|error| failed(&error))?;

        let stream = TcpStream::connect(self.operator).await.map_err(|error| failed(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(&error))?;
        // Takes the sender along: the connection ends when that is dropped.
        let exchange = async move {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
            Ok::<_, hyper::Error>((status, body.map(http_body_util::Collected::to_bytes)))
        };
        let (_, answered) = tokio::join!(connection, exchange);
        let (status, body) = answered.map_err(|error| failed(&error))?;
        let body = body.map_err(|error| failed(&error))?;
        if !status.is_success() {
            return Err(self.unreachable(&refusal(&body).unwrap_or_else(|| status.to_string())));
        }
        serde_json::from_slice(&body).map_err(|error| failed(&error))
    }

    fn unreachable(&self, why: &str) -> StoreError {
        StoreError::Unavailable(format!(
            "a gateway that holds the store listens for the operator on {}, but {why}",
            self.operator
        ))
    }
}

/// The message of an error envelope.
fn refusal(body: &[u8]) -> Option<String> {
    let envelope: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(envelope.pointer("/error/message")?.as_str()?.to_owned())
}

#[async_trait]
impl Directory for Beside {
    async fn add_user(&self, name: &str) -> Answer<User> {
        self.ask(Verb::AddUser { name: name.into() }).await
    }

    async fn reserve_user_id(&self) -> Answer<UserId> {
        self.ask(Verb::ReserveUserId).await
    }

    async fn enrol(&self, user: User) -> Answer<()> {
        self.ask(Verb::Enrol { user: Box::new(user) }).await
    }

    async fn user_named(&self, name: &str) -> Answer<Option<User>> {
        self.ask(Verb::UserNamed { name: name.into() }).await
    }

    async fn user(&self, id: UserId) -> Answer<Option<User>> {
        self.ask(Verb::User { id }).await
    }

    async fn users(&self) -> Answer<Vec<User>> {
        self.ask(Verb::Users).await
    }

    async fn set_identity(&self, id: UserId, before: &Identity, after: Identity) -> Answer<bool> {
        let (before, after) = (Box::new(before.clone()), Box::new(after));
        self.ask(Verb::SetIdentity { id, before, after }).await
    }

    async fn set_identity_beside(
        &self,
        other: &User,
        id: UserId,
        before: &Identity,
        after: Identity,
    ) -> Answer<bool> {
        let (before, after) = (Box::new(before.clone()), Box::new(after));
        let other = Box::new(other.clone());
        self.ask(Verb::SetIdentityBeside { other, id, before, after }).await
    }

    async fn reserve_token_id(&self) -> Answer<TokenId> {
        self.ask(Verb::ReserveTokenId).await
    }

    async fn add_token(&self, row: GatewayTokenRow) -> Answer<()> {
        self.ask(Verb::AddToken { row: Box::new(row) }).await
    }

    async fn tokens_of(&self, user: UserId) -> Answer<Vec<GatewayTokenRow>> {
        self.ask(Verb::TokensOf { user }).await
    }

    async fn revoke_token(&self, token: TokenId) -> Answer<bool> {
        self.ask(Verb::RevokeToken { token }).await
    }

    async fn change_token(&self, old: &GatewayTokenRow, new: GatewayTokenRow) -> Answer<bool> {
        self.ask(Verb::ChangeToken { old: Box::new(old.clone()), new: Box::new(new) }).await
    }

    async fn token_uses(&self, user: UserId) -> Answer<BTreeMap<TokenId, Timestamp>> {
        self.ask(Verb::TokenUses { user }).await
    }

    async fn reserve_account_id(&self) -> Answer<AccountId> {
        self.ask(Verb::ReserveAccountId).await
    }

    async fn add_account(&self, account: NewAccount) -> Answer<()> {
        self.ask(Verb::AddAccount { account: Box::new(account) }).await
    }

    /// The gateway's own zones are used: it rolls the windows.
    async fn accounts_in(&self, pools: &[PoolId], _: &Resets) -> Answer<Vec<AccountState>> {
        self.ask(Verb::AccountsIn { pools: pools.to_vec() }).await
    }

    async fn account_in(
        &self,
        pools: &[PoolId],
        account: AccountId,
        _: &Resets,
    ) -> Answer<Option<AccountState>> {
        self.ask(Verb::AccountIn { pools: pools.to_vec(), account }).await
    }

    async fn move_account(&self, before: &Account, after: Account) -> Answer<Moving> {
        let (before, after) = (Box::new(before.clone()), Box::new(after));
        self.ask(Verb::MoveAccount { before, after }).await
    }

    async fn end_move(&self, account: AccountId) -> Answer<()> {
        self.ask(Verb::EndMove { account }).await
    }

    async fn set_health(&self, account: AccountId, health: Health) -> Answer<Option<()>> {
        let found: bool = self.ask(Verb::SetHealth { account, health }).await?;
        Ok(found.then_some(()))
    }

    async fn amend_health(
        &self,
        account: AccountId,
        seen: &Health,
        health: Health,
    ) -> Answer<bool> {
        self.ask(Verb::AmendHealth { account, seen: seen.clone(), health }).await
    }

    async fn set_priority(&self, account: AccountId, priority: Priority) -> Answer<Option<()>> {
        let found: bool = self.ask(Verb::SetPriority { account, priority }).await?;
        Ok(found.then_some(()))
    }

    async fn rename_account(&self, account: AccountId, name: &str) -> Answer<Option<()>> {
        let found: bool = self.ask(Verb::RenameAccount { account, name: name.into() }).await?;
        Ok(found.then_some(()))
    }

    async fn set_limit(
        &self,
        account: AccountId,
        limit: Option<Tokens>,
        origin: Origin,
        _: &Resets,
    ) -> Answer<Option<()>> {
        let found: bool = self.ask(Verb::SetLimit { account, limit, origin }).await?;
        Ok(found.then_some(()))
    }

    async fn set_pool_policy(&self, pool: PoolId, policy: Option<Policy>) -> Answer<()> {
        self.ask(Verb::SetPoolPolicy { pool, policy }).await
    }

    async fn pool_policy(&self, pool: PoolId) -> Answer<Option<Policy>> {
        self.ask(Verb::PoolPolicy { pool }).await
    }

    async fn records_of(
        &self,
        user: UserId,
        before: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<Record>> {
        self.ask(Verb::RecordsOf { user, before: before.map(Into::into), limit }).await
    }

    async fn records_on(
        &self,
        user: UserId,
        account: AccountId,
        before: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<Record>> {
        let before = before.map(Into::into);
        self.ask(Verb::RecordsOn { user, account, before, limit }).await
    }

    async fn totals_of(&self, user: UserId, first: Date, last: Date) -> Answer<Vec<Total>> {
        self.ask(Verb::TotalsOf { user, first, last }).await
    }

    async fn remove_account(&self, account: AccountId) -> Answer<bool> {
        self.ask(Verb::RemoveAccount { account }).await
    }

    async fn charges(
        &self,
        pool: PoolId,
        platform: &PlatformId,
        after: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<ChargeRow>> {
        let platform = platform.clone();
        self.ask(Verb::Charges { pool, platform, after: after.map(Into::into), limit }).await
    }
}

#[async_trait]
impl Treasury for Beside {
    async fn grant_points(
        &self,
        user: UserId,
        points: Points,
        note: &str,
    ) -> Answer<Option<Points>> {
        self.ask(Verb::GrantPoints { user, points, note: note.into() }).await
    }

    async fn purse(&self, purse: &Purse) -> Answer<PurseState> {
        self.ask(Verb::Purse { purse: purse.clone() }).await
    }

    async fn points_ledger(
        &self,
        user: UserId,
        before: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<PointsEntry>> {
        self.ask(Verb::PointsLedger { user, before: before.map(Into::into), limit }).await
    }
}

#[async_trait]
impl Sealings for Beside {
    async fn accounts_after(
        &self,
        after: Option<AccountId>,
        limit: usize,
        _: &Resets,
    ) -> Answer<Vec<AccountState>> {
        self.ask(Verb::AccountsAfter { after, limit }).await
    }

    async fn rewrap(&self, batch: Vec<Rewrap>) -> Answer<Vec<bool>> {
        self.ask(Verb::Rewrap { batch }).await
    }

    async fn kept_bodies(&self, besides: Option<&str>, after: Option<&str>) -> Answer<KeptPage> {
        let [besides, after] = [besides, after].map(|text| text.map(Into::into));
        self.ask(Verb::KeptBodies { besides, after }).await
    }

    async fn reseal_bodies(&self, kid: &str, batch: Vec<KeptRow>) -> Answer<()> {
        self.ask(Verb::ResealBodies { kid: kid.into(), batch }).await
    }

    async fn count_seals(&self, kid: &str, seals: u64) -> Answer<u64> {
        self.ask(Verb::CountSeals { kid: kid.into(), seals }).await
    }

    async fn seals(&self) -> Answer<BTreeMap<String, u64>> {
        self.ask(Verb::Seals).await
    }

    async fn canaries(&self) -> Answer<Vec<String>> {
        self.ask(Verb::Canaries).await
    }

    async fn add_canary(&self, canary: &str) -> Answer<()> {
        self.ask(Verb::AddCanary { canary: canary.into() }).await
    }

    async fn remove_canary(&self, canary: &str) -> Answer<()> {
        self.ask(Verb::RemoveCanary { canary: canary.into() }).await
    }
}

#[async_trait]
impl Teams for Beside {
    async fn reserve_pool_id(&self) -> Answer<PoolId> {
        self.ask(Verb::OfTeams(TeamVerb::ReservePoolId)).await
    }

    async fn found_team(&self, team: Team, founder: Membership) -> Answer<Seating> {
        self.ask(Verb::OfTeams(TeamVerb::FoundTeam { team, founder })).await
    }

    async fn teams(&self) -> Answer<Vec<Team>> {
        self.ask(Verb::OfTeams(TeamVerb::Teams)).await
    }

    async fn teams_among(&self, pools: &[PoolId]) -> Answer<Vec<Team>> {
        self.ask(Verb::OfTeams(TeamVerb::TeamsAmong { pools: pools.to_vec() })).await
    }

    async fn rename_team(&self, pool: PoolId, name: &str) -> Answer<Option<()>> {
        let verb = TeamVerb::RenameTeam { pool, name: name.into() };
        let found: bool = self.ask(Verb::OfTeams(verb)).await?;
        Ok(found.then_some(()))
    }

    async fn close_team(&self, pool: PoolId) -> Answer<Closing> {
        self.ask(Verb::OfTeams(TeamVerb::CloseTeam { pool })).await
    }

    async fn members_of(&self, pool: PoolId) -> Answer<Vec<Membership>> {
        self.ask(Verb::OfTeams(TeamVerb::MembersOf { pool })).await
    }

    async fn ever_members_of(&self, pool: PoolId) -> Answer<Vec<UserId>> {
        self.ask(Verb::OfTeams(TeamVerb::EverMembersOf { pool })).await
    }

    async fn memberships_of(&self, user: UserId) -> Answer<Vec<Membership>> {
        self.ask(Verb::OfTeams(TeamVerb::MembershipsOf { user })).await
    }

    async fn seat(&self, before: Option<&Membership>, membership: Membership) -> Answer<Seating> {
        let verb = TeamVerb::Seat { before: before.cloned(), membership };
        self.ask(Verb::OfTeams(verb)).await
    }

    async fn unseat(&self, pool: PoolId, user: UserId) -> Answer<Seating> {
        self.ask(Verb::OfTeams(TeamVerb::Unseat { pool, user })).await
    }

    async fn users_among(&self, users: &[UserId]) -> Answer<Vec<User>> {
        self.ask(Verb::OfTeams(TeamVerb::UsersAmong { users: users.to_vec() })).await
    }
}

#[async_trait]
impl AuditLog for Beside {
    async fn audit_head(&self) -> Answer<AuditHead> {
        self.ask(Verb::AuditHead).await
    }

    async fn add_audit(&self, row: AuditRow) -> Answer<bool> {
        self.ask(Verb::AddAudit { row: Box::new(row) }).await
    }

    async fn audit_of(
        &self,
        reader: Option<UserId>,
        before: Option<i64>,
        limit: usize,
    ) -> Answer<Vec<AuditRow>> {
        self.ask(Verb::AuditOf { reader, before, limit }).await
    }

    async fn audit_after(&self, after: i64, limit: usize) -> Answer<Vec<AuditRow>> {
        self.ask(Verb::AuditAfter { after, limit }).await
    }
}
