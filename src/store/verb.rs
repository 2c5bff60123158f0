//! A directory's verbs as data, so that a command can send them to a live gateway.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, Directory, StoreError, TeamVerb};
use crate::accounts::{
    Account, AccountId, AuditRow, GatewayTokenRow, Health, Identity, KeptRow, NewAccount, Origin,
    PlatformId, Points, Policy, PoolId, Priority, Purse, Resets, Rewrap, TokenId, Tokens, User,
    UserId,
};
use crate::vault::MacParts;

/// One call of a [`Directory`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the method of that name")]
pub enum Verb {
    AddUser { name: String },
    ReserveUserId,
    Enrol { user: Box<User> },
    UserNamed { name: String },
    User { id: UserId },
    Users,
    SetIdentity { id: UserId, before: Box<Identity>, after: Box<Identity> },
    SetIdentityBeside { other: Box<User>, id: UserId, before: Box<Identity>, after: Box<Identity> },
    ReserveTokenId,
    AddToken { row: Box<GatewayTokenRow> },
    TokensOf { user: UserId },
    RevokeToken { token: TokenId },
    ChangeToken { old: Box<GatewayTokenRow>, new: Box<GatewayTokenRow> },
    TokenUses { user: UserId },
    ReserveAccountId,
    AddAccount { account: Box<NewAccount> },
    MoveAccount { before: Box<Account>, after: Box<Account> },
    EndMove { account: AccountId },
    AccountsIn { pools: Vec<PoolId> },
    AccountIn { pools: Vec<PoolId>, account: AccountId },
    SetHealth { account: AccountId, health: Health },
    AmendHealth { account: AccountId, seen: Health, health: Health },
    SetPriority { account: AccountId, priority: Priority },
    RenameAccount { account: AccountId, name: String },
    SetLimit { account: AccountId, limit: Option<Tokens>, origin: Origin },
    SetPoolPolicy { pool: PoolId, policy: Option<Policy> },
    PoolPolicy { pool: PoolId },
    Charges { pool: PoolId, platform: PlatformId, after: Option<String>, limit: usize },
    RecordsOf { user: UserId, before: Option<String>, limit: usize },
    RecordsOn { user: UserId, account: AccountId, before: Option<String>, limit: usize },
    TotalsOf { user: UserId, first: Date, last: Date },
    RemoveAccount { account: AccountId },
    AccountsAfter { after: Option<AccountId>, limit: usize },
    Rewrap { batch: Vec<Rewrap> },
    KeptBodies { besides: Option<String>, after: Option<String> },
    ResealBodies { kid: String, batch: Vec<KeptRow> },
    CountSeals { kid: String, seals: u64 },
    Seals,
    Canaries,
    AddCanary { canary: String },
    RemoveCanary { canary: String },
    GrantPoints { user: UserId, points: Points, note: String },
    Purse { purse: Purse },
    PointsLedger { user: UserId, before: Option<String>, limit: usize },
    OfTeams(TeamVerb),
    AuditHead,
    AddAudit { row: Box<AuditRow> },
    AuditOf { reader: Option<UserId>, before: Option<i64>, limit: usize },
    AuditAfter { after: i64, limit: usize },
}

/// What a gateway answers to a verb.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The verb's answer, as JSON.
    Done(Value),
    /// [`StoreError::Taken`].
    Taken(String),
    /// [`StoreError::Gone`].
    Gone(String),
    /// [`StoreError::Full`].
    Full(String),
    /// Any other failure, in words.
    Failed(String),
}

/// A proof is good for this long, in milliseconds.
pub const PROOF_LIFE_MS: i64 = 30_000;

/// A verb on its way, with what its proof is bound to.
#[derive(Debug, Serialize, Deserialize)]
pub struct Errand {
    /// When it was written, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Random; each is taken once.
    pub nonce: String,
    /// What to do.
    pub verb: Verb,
}

impl Verb {
    /// Does it.
    pub async fn carry_out(self, directory: &dyn Directory, resets: &Resets) -> Reply {
        match self.answer(directory, resets).await {
            Ok(value) => Reply::Done(value),
            Err(StoreError::Taken(what)) => Reply::Taken(what),
            Err(StoreError::Gone(what)) => Reply::Gone(what),
            Err(StoreError::Full(what)) => Reply::Full(what),
            Err(error) => Reply::Failed(error.to_string()),
        }
    }

    async fn answer(self, directory: &dyn Directory, resets: &Resets) -> Answer<Value> {
        match self {
            Self::AddUser { name } => to_json(directory.add_user(&name).await?),
            Self::ReserveUserId => to_json(directory.reserve_user_id().await?),
            Self::Enrol { user } => to_json(directory.enrol(*user).await?),
            Self::UserNamed { name } => to_json(directory.user_named(&name).await?),
            Self::User { id } => to_json(directory.user(id).await?),
            Self::SetIdentity { id, before, after } => {
                to_json(directory.set_identity(id, &before, *after).await?)
            }
            Self::SetIdentityBeside { other, id, before, after } => {
                to_json(directory.set_identity_beside(&other, id, &before, *after).await?)
            }
            Self::Users => to_json(directory.users().await?),
            Self::ReserveTokenId => to_json(directory.reserve_token_id().await?),
            Self::AddToken { row } => to_json(directory.add_token(*row).await?),
            Self::TokensOf { user } => to_json(directory.tokens_of(user).await?),
            Self::RevokeToken { token } => to_json(directory.revoke_token(token).await?),
            Self::ChangeToken { old, new } => to_json(directory.change_token(&old, *new).await?),
            Self::TokenUses { user } => to_json(directory.token_uses(user).await?),
            Self::ReserveAccountId => to_json(directory.reserve_account_id().await?),
            Self::AddAccount { account } => to_json(directory.add_account(*account).await?),
            Self::MoveAccount { before, after } => {
                to_json(directory.move_account(&before, *after).await?)
            }
            Self::EndMove { account } => to_json(directory.end_move(account).await?),
            Self::AccountsIn { pools } => to_json(directory.accounts_in(&pools, resets).await?),
            Self::AccountIn { pools, account } => {
                to_json(directory.account_in(&pools, account, resets).await?)
            }
            Self::SetHealth { account, health } => {
                to_json(directory.set_health(account, health).await?.is_some())
            }
            Self::AmendHealth { account, seen, health } => {
                to_json(directory.amend_health(account, &seen, health).await?)
            }
            Self::SetPriority { account, priority } => {
                to_json(directory.set_priority(account, priority).await?.is_some())
            }
            Self::RenameAccount { account, name } => {
                to_json(directory.rename_account(account, &name).await?.is_some())
            }
            Self::SetLimit { account, limit, origin } => {
                to_json(directory.set_limit(account, limit, origin, resets).await?.is_some())
            }
            Self::SetPoolPolicy { pool, policy } => {
                to_json(directory.set_pool_policy(pool, policy).await?)
            }
            Self::PoolPolicy { pool } => to_json(directory.pool_policy(pool).await?),
            Self::RecordsOf { user, before, limit } => {
                to_json(directory.records_of(user, before.as_deref(), limit).await?)
            }
            Self::RecordsOn { user, account, before, limit } => {
                to_json(directory.records_on(user, account, before.as_deref(), limit).await?)
            }
            Self::TotalsOf { user, first, last } => {
                to_json(directory.totals_of(user, first, last).await?)
            }
            Self::RemoveAccount { account } => to_json(directory.remove_account(account).await?),
            Self::Charges { pool, platform, after, limit } => {
                to_json(directory.charges(pool, &platform, after.as_deref(), limit).await?)
            }
            Self::Canaries => to_json(directory.canaries().await?),
            Self::AddCanary { canary } => to_json(directory.add_canary(&canary).await?),
            Self::RemoveCanary { canary } => to_json(directory.remove_canary(&canary).await?),
            Self::AccountsAfter { after, limit } => {
                to_json(directory.accounts_after(after, limit, resets).await?)
            }
            Self::Rewrap { batch } => to_json(directory.rewrap(batch).await?),
            Self::KeptBodies { besides, after } => {
                to_json(directory.kept_bodies(besides.as_deref(), after.as_deref()).await?)
            }
            Self::ResealBodies { kid, batch } => {
                to_json(directory.reseal_bodies(&kid, batch).await?)
            }
            Self::CountSeals { kid, seals } => to_json(directory.count_seals(&kid, seals).await?),
            Self::Seals => to_json(directory.seals().await?),
            Self::GrantPoints { user, points, note } => {
                to_json(directory.grant_points(user, points, &note).await?)
            }
            Self::Purse { purse } => to_json(directory.purse(&purse).await?),
            Self::PointsLedger { user, before, limit } => {
                to_json(directory.points_ledger(user, before.as_deref(), limit).await?)
            }
            Self::OfTeams(verb) => verb.answer(directory).await,
            Self::AuditHead => to_json(directory.audit_head().await?),
            Self::AddAudit { row } => to_json(directory.add_audit(*row).await?),
            Self::AuditOf { reader, before, limit } => {
                to_json(directory.audit_of(reader, before, limit).await?)
            }
            Self::AuditAfter { after, limit } => {
                to_json(directory.audit_after(after, limit).await?)
            }
        }
    }
}

impl Errand {
    /// Whether its time is near enough to `now`.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        (now.as_millisecond() - self.at_ms).abs() <= PROOF_LIFE_MS
    }
}

/// What an errand's proof is over: its JSON text.
pub fn errand_proof(text: &str) -> MacParts {
    MacParts::new("operator_errand").text(text)
}

pub(super) fn to_json(answer: impl Serialize) -> Answer<Value> {
    serde_json::to_value(answer)
        .map_err(|error| StoreError::Corrupt { what: "answer", why: error.to_string() })
}
