//! Who calls: a gateway token found by its keyed hash.
//!
//! What was found is kept for seconds, so a revoked token stops working within them
//! on every replica, and so does what its user left.

use std::borrow::Cow;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;

use super::membership::{pools, proved};
use super::uses::Uses;
use crate::accounts::{
    AccountState, Doer, GatewayTokenRow, Membership, PoolId, Purse, Scope, SessionRow, Spending,
    TeamRole, TokenGrant, TokenId, Tokens, User, UserId,
};
use crate::identity;
use crate::platforms::Reader;
use crate::store::{Store, StoreError};
use crate::telemetry::clock;
use crate::vault::{GatewayToken, MacParts, MacPurpose, TokenIndex, Vault};

/// A caller that has proved itself.
#[derive(Debug)]
pub struct Caller {
    index: Arc<str>,
    grant: TokenGrant,
    label: Label,
    /// The console session that it came with instead of a token.
    session: Option<String>,
    /// As they were when it was found.
    memberships: Vec<Membership>,
    pools: Vec<PoolId>,
    found_ms: i64,
}

/// What people know a token by.
#[derive(Clone, Debug)]
pub struct Label {
    /// The name that its owner gave it.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// Its last four characters.
    pub last_four: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Caller {
    /// Who it is.
    pub fn user(&self) -> UserId {
        self.grant.user
    }

    /// With which token it came.
    pub fn token(&self) -> TokenId {
        self.grant.id
    }

    /// Who does what it asks for, in the audit log.
    pub fn doer(&self) -> Doer {
        match &self.session {
            Some(session) => Doer::session(self.grant.user, session),
            None => Doer::token(self.grant.user, self.grant.id),
        }
    }

    /// The pools that it draws from, in order: of those that its token is for its user's own
    /// and its teams'.
    pub fn pools(&self) -> &[PoolId] {
        &self.pools
    }

    /// What it may do in a pool that it draws from: it owns its personal one.
    pub fn role_in(&self, pool: PoolId) -> Option<TeamRole> {
        if !self.pools.contains(&pool) {
            return None;
        }
        if pool == self.grant.personal {
            return Some(TeamRole::Owner);
        }
        self.memberships.iter().find(|member| member.pool == pool).map(|member| member.role)
    }

    /// The keyed hash that its token's rate and day are counted under.
    pub(super) fn index(&self) -> &str {
        &self.index
    }

    /// What its token grants.
    pub fn grant(&self) -> &TokenGrant {
        &self.grant
    }

    /// What its token is known by.
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// What it is to an account of its pools.
    pub fn reads(&self, state: &AccountState) -> Reader {
        if state.account.owner == self.grant.user { Reader::Owner } else { Reader::Member }
    }

    /// Whether its calls may cost points.
    pub(super) fn may_spend(&self) -> bool {
        self.grant.points == Spending::Fallback
    }

    /// How many requests it may make a minute.
    pub(super) fn requests_per_minute(&self) -> Option<NonZeroU32> {
        self.grant.requests_per_minute
    }

    /// How many tokens it may use a day, and where they are counted.
    pub fn budget(&self) -> Option<(Purse, Tokens)> {
        let limit = self.grant.tokens_per_day?;
        Some((Purse::Budget { token: self.grant.id, index: self.index.clone(), limit }, limit))
    }

    /// Whether its requests and answers are kept with its records.
    pub(super) fn keeps_bodies(&self) -> bool {
        self.grant.keep_bodies
    }

    /// Whether its token may do this.
    pub fn may(&self, scope: Scope) -> bool {
        self.grant.scopes.contains(&scope)
    }

    /// Whether its token is for this model name.
    pub fn may_call(&self, model: &str) -> bool {
        self.grant.models.is_empty() || self.grant.models.iter().any(|allowed| allowed == model)
    }

    /// Whether its token is for this platform.
    pub fn may_reach(&self, platform: &str) -> bool {
        self.grant.platforms.is_empty()
            || self.grant.platforms.iter().any(|allowed| allowed == platform)
    }
}

/// What a token's MAC covers.
pub fn token_mac_parts(index: &str, grant: &TokenGrant) -> MacParts {
    let grant = serde_json::to_string(grant).expect("a grant is plain data");
    MacParts::new("gateway_token").text(index).text(&grant)
}

const MOST_CALLERS: usize = 20_000;

/// Callers that were found lately.
pub struct Callers {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    keep_ms: i64,
    known: RwLock<HashMap<TokenIndex, Known>>,
    uses: Uses,
}

struct Known {
    caller: Arc<Caller>,
    until_ms: i64,
}

impl Callers {
    /// Nobody is known yet; a caller is kept for `keep_ms` milliseconds.
    pub fn new(store: Arc<dyn Store>, vault: Arc<Vault>, keep_ms: i64) -> Self {
        Self { store, vault, keep_ms, known: RwLock::default(), uses: Uses::default() }
    }

    /// The caller whose token this is; `None` for no or unknown, ended, revoked or
    /// tampered ones alike.
    pub async fn find(&self, token: &str) -> Result<Option<Arc<Caller>>, StoreError> {
        let Some(token) = GatewayToken::parse(token) else { return Ok(None) };
        let now_ms = clock::now_ms();
        let index = self.vault.token_index(&token);
        if let Some(caller) = self.known(&index, now_ms) {
            return Ok(Some(caller));
        }
        let Some(caller) = self.look_up(&token, now_ms).await? else { return Ok(None) };
        self.uses.saw(&caller.grant);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_CALLERS {
            known.retain(|_, known| known.until_ms > now_ms);
        }
        if known.len() < MOST_CALLERS {
            let until_ms = now_ms + self.keep_ms;
            known.insert(index, Known { caller: caller.clone(), until_ms });
        }
        Ok(Some(caller))
    }

    /// A user that is signed in to the console: it has all that is its own and its teams', and
    /// every scope.
    ///
    /// # Errors
    /// The store's.
    pub async fn signed_in(
        &self,
        user: &User,
        session: &SessionRow,
    ) -> Result<Arc<Caller>, StoreError> {
        let grant = TokenGrant {
            id: TokenId::CONSOLE,
            user: user.id,
            personal: user.pool,
            only_pools: None,
            scopes: vec![Scope::Chat, Scope::AccountsRead, Scope::AccountsWrite],
            models: Vec::new(),
            platforms: Vec::new(),
            expires_at: Some(session.grant.ends_at),
            points: Spending::Fallback,
            requests_per_minute: None,
            tokens_per_day: None,
            keep_bodies: false,
        };
        let label = Label {
            name: "console".to_owned(),
            prefix: String::new(),
            last_four: String::new(),
            created_at: session.grant.created_at,
        };
        let found_ms = clock::now_ms();
        let memberships = self.memberships(&grant).await?;
        Ok(Arc::new(Caller {
            index: session.index.as_str().into(),
            pools: pools(&grant, &memberships),
            grant,
            label,
            session: Some(session.grant.id.clone()),
            memberships,
            found_ms,
        }))
    }

    /// A user's teams changed here: what it calls next is looked up anew. Other gateways follow
    /// once what they keep is old.
    pub fn forget_user(&self, user: UserId) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, known| known.caller.user() != user);
    }

    /// Looks a token up anew when it comes next: it was changed or revoked here.
    pub fn forget(&self, token: TokenId) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, known| known.caller.token() != token);
    }

    /// Which tokens were used.
    pub(super) fn uses(&self) -> &Uses {
        &self.uses
    }

    fn known(&self, index: &TokenIndex, now_ms: i64) -> Option<Arc<Caller>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(index)?;
        (known.until_ms > now_ms && !has_ended(&known.caller.grant)).then(|| known.caller.clone())
    }

    /// The pools that a caller draws from now, however long its call has been under way.
    pub(super) async fn pools<'c>(
        &self,
        caller: &'c Caller,
        now: Timestamp,
    ) -> Result<Cow<'c, [PoolId]>, StoreError> {
        if now.as_millisecond() - caller.found_ms <= self.keep_ms {
            return Ok(Cow::Borrowed(&caller.pools));
        }
        let memberships = self.memberships(&caller.grant).await?;
        Ok(Cow::Owned(pools(&caller.grant, &memberships)))
    }

    async fn memberships(&self, grant: &TokenGrant) -> Result<Vec<Membership>, StoreError> {
        let rows = self.store.memberships_of(grant.user).await?;
        Ok(proved(&self.vault, grant.user, rows))
    }

    async fn look_up(
        &self,
        token: &GatewayToken,
        found_ms: i64,
    ) -> Result<Option<Arc<Caller>>, StoreError> {
        for (number, index) in self.vault.token_indexes(token).enumerate() {
            let Some(row) = self.store.token(index.as_str()).await? else { continue };
            let Some(label) = self.admit(index.as_str(), &row) else { return Ok(None) };
            let user = self.store.user(row.grant.user).await?;
            let is_it = |user: &User| user.id == row.grant.user;
            if !user.is_some_and(|user| is_it(&user) && identity::may_act(&self.vault, &user)) {
                return Ok(None);
            }
            if number > 0 {
                self.index_anew(token, &row).await;
            }
            let memberships = self.memberships(&row.grant).await?;
            return Ok(Some(Arc::new(Caller {
                index: row.counting_index().into(),
                pools: pools(&row.grant, &memberships),
                grant: row.grant.clone(),
                label,
                session: None,
                memberships,
                found_ms,
            })));
        }
        Ok(None)
    }

    /// Puts a row that an old key of the ring found under the primary, so that the old one
    /// can leave the ring. Its caller is served, whatever becomes of that.
    async fn index_anew(&self, token: &GatewayToken, row: &GatewayTokenRow) {
        let index = self.vault.token_index(token).to_string();
        let mac = self.vault.mac(MacPurpose::Row, &token_mac_parts(&index, &row.grant));
        let first_index = Some(row.counting_index().to_owned());
        let new = GatewayTokenRow { index, mac, first_index, ..row.clone() };
        if let Err(error) = self.store.reindex_token(row, new).await {
            let token = row.grant.id.0;
            tracing::warn!(token, %error, "a token stays under an old key of the ring");
        }
    }

    /// Proved for where it was found: another's row that somebody put there is none.
    fn admit(&self, index: &str, row: &GatewayTokenRow) -> Option<Label> {
        // First: revoking ruins the MAC too, so that nobody brings the row back.
        if row.revoked_at.is_some() || has_ended(&row.grant) {
            return None;
        }
        let parts = token_mac_parts(index, &row.grant);
        if let Err(error) = self.vault.check_mac(MacPurpose::Row, &parts, &row.mac) {
            tracing::error!(token = row.grant.id.0, %error, "a token's row does not carry our MAC");
            return None;
        }
        Some(Label {
            name: row.name.clone(),
            prefix: row.prefix.clone(),
            last_four: row.last_four.clone(),
            created_at: row.created_at,
        })
    }
}

fn has_ended(grant: &TokenGrant) -> bool {
    grant.expires_at.is_some_and(|end| end <= clock::now())
}
