//! The state: one interface in verbs of the domain, two real implementations.
//!
//! [`Directory`] is what people change: users, tokens, accounts, records.
//! [`Ledger`] is what requests move: leases, settlements, health. [`Treasury`] and
//! [`Purses`] are their parts for points, budgets and rates; [`Sealings`], [`Teams`] and
//! [`AuditLog`] are the directory's for the key ring, for pools that are shared, and for who
//! did what. A command that runs
//! beside a gateway has a directory alone, carried to that gateway.

mod audit;
mod error;
mod notices;
mod open;
mod purses;
mod rate;
pub mod redis;
mod sealings;
mod settings;
mod sign_ins;
pub mod sqlite;
mod teams;
mod verb;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::accounts::{
    Account, AccountId, AccountState, ChargeRow, GatewayTokenRow, Grant, Harm, Health, Identity,
    LeaseAsk, LeaseId, LeaseKey, Moving, NewAccount, Origin, PlatformId, Policy, PoolId, Priority,
    Record, Refusal, Resets, Rest, Settlement, ShortKey, TokenId, TokenUse, Tokens, Told, Total,
    User, UserId,
};

pub use audit::{AuditLog, Chain, ChainFault, check_chain, write_down};
pub use error::StoreError;
pub use notices::{NoticeBoard, Reading};
pub use open::{holder, holds_password, open};
pub use purses::{Purses, Treasury};
pub use sealings::Sealings;
pub use settings::{Clock, Keep, Settings};
pub use sign_ins::{MOST_SESSIONS, SignIns};
pub use teams::{TeamVerb, Teams};
pub use verb::{Errand, PROOF_LIFE_MS, Reply, Verb, errand_proof};

/// What a verb answers.
pub type Answer<T> = Result<T, StoreError>;

/// Users, tokens, accounts and records.
#[async_trait]
pub trait Directory: Treasury + Sealings + Teams + AuditLog {
    /// Adds a user with a personal pool. `StoreError::Taken` when the name is.
    async fn add_user(&self, name: &str) -> Answer<User>;
    /// A user id that nobody else gets; an identity's MAC is bound to it.
    async fn reserve_user_id(&self) -> Answer<UserId>;
    /// Adds a user as it stands, with its reserved ids and its identity: all, or nothing.
    /// `StoreError::Taken` when the name is, or the id.
    async fn enrol(&self, user: User) -> Answer<()>;
    /// Finds a user by name.
    async fn user_named(&self, name: &str) -> Answer<Option<User>>;
    /// Finds a user by id.
    async fn user(&self, id: UserId) -> Answer<Option<User>>;
    /// Every user, by id.
    async fn users(&self) -> Answer<Vec<User>>;
    /// Gives a user another identity. `false` when it no longer has `before`, or there is no
    /// such user.
    async fn set_identity(&self, id: UserId, before: &Identity, after: Identity) -> Answer<bool>;
    /// The same, where somebody else still has the identity that was read of it. `false` when
    /// either has another one by now.
    async fn set_identity_beside(
        &self,
        other: &User,
        id: UserId,
        before: &Identity,
        after: Identity,
    ) -> Answer<bool>;

    /// A token id that nobody else gets; the row's MAC is bound to it.
    async fn reserve_token_id(&self) -> Answer<TokenId>;
    /// Adds a gateway token.
    async fn add_token(&self, row: GatewayTokenRow) -> Answer<()>;
    /// A user's tokens, by id, revoked ones too.
    async fn tokens_of(&self, user: UserId) -> Answer<Vec<GatewayTokenRow>>;
    /// Revokes a token at once; `false` when there is no such token.
    async fn revoke_token(&self, token: TokenId) -> Answer<bool>;
    /// Gives a token another grant, MAC or name under its index; `false` when `old` is no
    /// longer its row, or is revoked. What the token has under older keys of the ring finds
    /// nothing from then on.
    async fn change_token(&self, old: &GatewayTokenRow, new: GatewayTokenRow) -> Answer<bool>;
    /// When each of a user's tokens was last used, to the minute; those never used are missing.
    async fn token_uses(&self, user: UserId) -> Answer<BTreeMap<TokenId, Timestamp>>;

    /// An account id that nobody else gets; the seal is bound to it.
    async fn reserve_account_id(&self) -> Answer<AccountId>;
    /// Adds an account. `StoreError::Taken` when pool and platform have one of that name;
    /// `StoreError::Gone` when the pool is closed.
    async fn add_account(&self, account: NewAccount) -> Answer<()>;
    /// The accounts of some pools, by id, their windows rolled.
    async fn accounts_in(&self, pools: &[PoolId], resets: &Resets) -> Answer<Vec<AccountState>>;
    /// One account of some pools, its windows rolled. Where it is in none of them, no more is
    /// looked at than where there is none.
    async fn account_in(
        &self,
        pools: &[PoolId],
        account: AccountId,
        resets: &Resets,
    ) -> Answer<Option<AccountState>>;
    /// Removes an account with its records and charges; totals keep what it counted
    /// without its id, and its open leases end as any: each in one charge, without its id.
    /// `false`: there is no such account. Safe to repeat when it failed.
    async fn remove_account(&self, account: AccountId) -> Answer<bool>;
    /// Moves an account to the pool that `after` says, sealed for it and a generation later:
    /// windows with what is used of them, health, blocks, name and priority come along, records
    /// and charges stay where they are. It is leased in one of the pools, or in none, at every
    /// moment. Where a move was broken off, moving it again finishes it.
    ///
    /// [`Moving::Busy`]: it has open leases, which end where they began; none begins once it is
    /// disabled. `StoreError::Taken`: the pool has one of that name; `StoreError::Gone`: it is
    /// closed.
    ///
    /// Where the pools lie in different slots, a late exact figure for a lease that its
    /// deadline ended before the move finds no account: the estimate stays.
    async fn move_account(&self, before: &Account, after: Account) -> Answer<Moving>;
    /// Ends a move that was broken off: finishes it where the account is in the other pool
    /// already, else takes it back.
    async fn end_move(&self, account: AccountId) -> Answer<()>;
    /// Moves an account's health. `None`: no such account, or it is between two pools, as for
    /// whatever else is set of it.
    async fn set_health(&self, account: AccountId, health: Health) -> Answer<Option<()>>;
    /// The same, if its status and reason are still what somebody saw. `false`: they are not,
    /// or there is no such account.
    async fn amend_health(&self, account: AccountId, seen: &Health, health: Health)
    -> Answer<bool>;

    /// Moves an account in pools that go by priority. `None`: no such account.
    async fn set_priority(&self, account: AccountId, priority: Priority) -> Answer<Option<()>>;

    /// Gives an account another name. `None`: no such account. `StoreError::Taken` when pool
    /// and platform have another one of that name.
    async fn rename_account(&self, account: AccountId, name: &str) -> Answer<Option<()>>;

    /// Gives an account's first window another limit, and says whose word that is. `None`: no
    /// such account. One without windows stays so.
    async fn set_limit(
        &self,
        account: AccountId,
        limit: Option<Tokens>,
        origin: Origin,
        resets: &Resets,
    ) -> Answer<Option<()>>;

    /// Gives a pool a policy of its own, or (`None`) the settings' again.
    async fn set_pool_policy(&self, pool: PoolId, policy: Option<Policy>) -> Answer<()>;
    /// A pool's own policy; `None`: it has the settings'.
    async fn pool_policy(&self, pool: PoolId) -> Answer<Option<Policy>>;

    /// A user's records, newest first; `before` is the id of the last one seen.
    async fn records_of(
        &self,
        user: UserId,
        before: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<Record>>;

    /// A user's records of calls that were tried on an account, as [`Directory::records_of`].
    async fn records_on(
        &self,
        user: UserId,
        account: AccountId,
        before: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<Record>>;

    /// A user's totals from a day to a day, both included, in the order of their keys.
    async fn totals_of(&self, user: UserId, first: Date, last: Date) -> Answer<Vec<Total>>;

    /// The charges on a pool's accounts of one platform, oldest first, after a row's cursor:
    /// what the books' sums are made of. Of an account that came from another pool they are
    /// here where the store is embedded, and in the pool that they were made in on Redis. One
    /// that was made after its account was removed is here without the account's id: it explains
    /// what the totals have.
    async fn charges(
        &self,
        pool: PoolId,
        platform: &PlatformId,
        after: Option<&str>,
        limit: usize,
    ) -> Answer<Vec<ChargeRow>>;
}

/// Leases and what they come to.
#[async_trait]
pub trait Ledger: Purses + NoticeBoard {
    /// The row of a token by its keyed index, revoked ones too.
    async fn token(&self, index: &str) -> Answer<Option<Arc<GatewayTokenRow>>>;
    /// Gives a token another row, under an index and a MAC of another key; `false` when `old`
    /// is no longer its row, or is revoked. The index of `old` finds nothing from then on, or
    /// the old row, which is revoked with the token: on Redis a gateway may have that key alone.
    async fn reindex_token(&self, old: &GatewayTokenRow, new: GatewayTokenRow) -> Answer<bool>;
    /// Notes uses of tokens; an earlier one changes nothing.
    async fn note_uses(&self, uses: Vec<TokenUse>) -> Answer<()>;
    /// An account's fixed part; may be up to 5 s old.
    async fn account(&self, id: AccountId) -> Answer<Option<Arc<Account>>>;

    /// The policy that a pool has; may be up to 5 s old.
    async fn policy(&self, pool: PoolId) -> Answer<Policy>;

    /// Sets tokens aside on the account that the pool's policy picks: one atomic step,
    /// durable before it answers.
    ///
    /// Drop the future and the lease is given back, where the store is embedded. On
    /// Redis nobody knows whether it was granted: release it, and it is ended, or refused
    /// ([`Refusal::Busy`]) where the asking comes after its release.
    async fn lease(&self, ask: LeaseAsk<'_>) -> Answer<Result<Grant, Refusal>>;
    /// Ends leases; durable when it answers, and safe to repeat when it failed. After
    /// [`StoreError::Corrupt`] all that can be settled is, and repeating helps no more.
    ///
    /// A lease that has ended stays as it ended, with one exception: an exact figure
    /// replaces the estimate that a deadline charged by the difference, once, in those of
    /// the windows charged that are still open. An estimate that was settled is the last
    /// word: its gateway knew no better.
    async fn settle(&self, batch: Vec<Settlement>, resets: &Resets) -> Answer<()>;
    /// The zones of the accounts' windows: an account keeps the zone it was bound with,
    /// whatever the catalogue says since.
    async fn zones(&self) -> Answer<Vec<String>>;
    /// How long a lease lives without being renewed.
    fn lease_deadline(&self) -> Duration;
    /// Prolongs leases by [`Ledger::lease_deadline`]; answers those that are no longer open.
    async fn renew(&self, leases: &[LeaseKey]) -> Answer<Vec<LeaseId>>;
    /// Charges the estimates of leases past their deadline; answers how many. Also
    /// handles resets and ended pauses, and deletes what is too old: once a second.
    async fn sweep(&self, resets: &Resets) -> Answer<usize>;
    /// Moves an account's health after a failed call, where that makes it worse: calls in
    /// flight together fail in any order, and the mildest must not have the last word
    /// ([`Health::gives_way_to`]). Answers whether it moved.
    ///
    /// A pause ends by the store's clock. Failures are counted here, for all gateways
    /// together ([`Harm`]); those of calls granted before the last one counted are its own
    /// echo. An account whose pause ended without the platform's word is on trial: one
    /// request at a time may try it, and its lease is the trial, so that one that is never
    /// heard of again frees the account by its deadline.
    async fn worsen(&self, account: AccountId, granted_at: Timestamp, harm: Harm) -> Answer<bool>;
    /// A call succeeded whose grant said that the account is ailing: forgets its failures
    /// and ends its pause, unless its quota is what it rests for and it is not on trial.
    async fn recovered(&self, account: AccountId) -> Answer<()>;
    /// Blocks one model on an account; a longer block stays. None lasts longer than
    /// [`crate::accounts::EARLY_TRY`]: what was reset early is noticed by trying, and a model that is
    /// still spent is blocked anew.
    async fn block_model(&self, account: AccountId, model: &str, rest: Rest) -> Answer<()>;
    /// Takes in limits and resets that platforms' answers told ([`crate::accounts::Window::hear`]).
    /// An account that never had a window of that length gets one.
    ///
    /// An estimate that a deadline charged to a window whose end was then told otherwise
    /// stays as it is: the books take that window for another one.
    async fn learn(&self, batch: Vec<Told>, resets: &Resets) -> Answer<()>;
    /// Claims the making of an account's next short-lived key, for so long: one of all
    /// gateways makes it. `false`: another has the claim, or there is no such account.
    /// [`Ledger::account`] is no older than the answer.
    async fn claim_renewal(
        &self,
        account: AccountId,
        claim: LeaseId,
        life: Duration,
    ) -> Answer<bool>;
    /// Gives a claim back before its time.
    async fn end_renewal(&self, account: AccountId, claim: LeaseId) -> Answer<()>;
    /// Keeps a short-lived key ([`Account::take_short_key`]); `false`: it was not taken.
    async fn keep_short_key(&self, account: AccountId, key: ShortKey) -> Answer<bool>;
    /// Adds records of calls, and counts them in the totals: each once, by its id, however
    /// often it is given. A call that ends after its account was removed is kept and counted
    /// without the account's id.
    async fn record(&self, batch: Vec<Arc<Record>>) -> Answer<()>;
    /// Whether the store answers.
    async fn ping(&self) -> Answer<()>;
    /// Tells others who holds a store that one process alone may hold; [`holder`] reads it.
    fn tell_holder(&self, holder: &str) -> Answer<()>;
}

/// A whole store.
pub trait Store: Directory + Ledger + SignIns {
    /// The same store for the calls of the runtime that this is called in, and for as long
    /// as that lives: over connections of its own, where a store has connections, so that
    /// a call and its answer wake no other thread.
    fn in_this_runtime(self: Arc<Self>) -> Arc<dyn Store>;
}
