//! Users, their tokens and accounts.

use std::num::NonZeroU32;
use std::sync::LazyLock;

use jiff::Timestamp;
use tributary::accounts::{
    AccountId, AccountState, ChargeRow, GatewayTokenRow, NewAccount, Origin, Period, PlatformId,
    PoolId, Priority, Purse, PurseState, Record, Resets, Scope, Seating, Spending, Team, TeamRole,
    TokenGrant, TokenId, Tokens, User, WindowSpec,
};
use tributary::authorize::prove_owner;
use tributary::platforms::{Credential, DialectName};
use tributary::relay::{CREDENTIAL_FIELD, membership, token_mac_parts};
use tributary::telemetry::clock;
use tributary::vault::{GatewayToken, MacPurpose, Place, Plain};

use super::{Answer, Rig};

/// What a token is for, beside its user.
pub struct Grants {
    pub scopes: Vec<Scope>,
    pub models: Vec<String>,
    pub platforms: Vec<String>,
    pub expires_at: Option<Timestamp>,
    pub points: Spending,
    pub requests_per_minute: Option<NonZeroU32>,
    pub tokens_per_day: Option<Tokens>,
    pub keep_bodies: bool,
    /// The only ones; none: the user's own and its teams'.
    pub pools: Vec<PoolId>,
}

impl Default for Grants {
    fn default() -> Self {
        Self {
            scopes: vec![Scope::Chat, Scope::AccountsRead],
            models: Vec::new(),
            platforms: Vec::new(),
            expires_at: None,
            points: Spending::Fallback,
            requests_per_minute: None,
            tokens_per_day: None,
            keep_bodies: false,
            pools: Vec::new(),
        }
    }
}

/// A zone in which the next hour has no midnight: a day that ends in the middle of a test
/// takes with it what the test counts.
fn calm_zone() -> &'static str {
    static ZONE: LazyLock<&str> = LazyLock::new(|| {
        let hour = clock::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).hour();
        if hour == 23 { "Asia/Shanghai" } else { "UTC" }
    });
    &ZONE
}

impl Rig {
    pub async fn token(&self, user: &User, grants: Grants) -> (TokenId, String) {
        let (row, token) = self.token_row(user, grants).await;
        let id = row.grant.id;
        self.store.add_token(row).await.unwrap();
        (id, token)
    }

    /// A token's row, not added yet, and its secret.
    pub async fn token_row(&self, user: &User, grants: Grants) -> (GatewayTokenRow, String) {
        let token = GatewayToken::generate().unwrap();
        let grant = TokenGrant {
            id: self.store.reserve_token_id().await.unwrap(),
            user: user.id,
            personal: user.pool,
            scopes: grants.scopes,
            models: grants.models,
            platforms: grants.platforms,
            expires_at: grants.expires_at,
            points: grants.points,
            requests_per_minute: grants.requests_per_minute,
            tokens_per_day: grants.tokens_per_day,
            keep_bodies: grants.keep_bodies,
            only_pools: Some(grants.pools).filter(|pools| !pools.is_empty()),
        };
        let id = grant.id;
        let index = self.vault.token_index(&token).to_string();
        let mac = self.vault.mac(MacPurpose::Row, &token_mac_parts(&index, &grant));
        let row = GatewayTokenRow {
            index,
            grant,
            mac,
            name: format!("test {id}"),
            prefix: token.prefix().into(),
            last_four: token.last_four().into(),
            created_at: clock::now(),
            revoked_at: None,
            first_index: None,
        };
        (row, token.expose_secret().to_owned())
    }

    /// What is left of a token's tokens a day.
    pub async fn day_of(&self, token: &str, limit: u64) -> PurseState {
        let index = self.vault.token_index(&GatewayToken::parse(token).unwrap()).to_string();
        let row = self.store.token(&index).await.unwrap().unwrap();
        let (token, limit) = (row.grant.id, Tokens(limit));
        let purse = Purse::Budget { token, index: index.into(), limit };
        self.store.purse(&purse).await.unwrap()
    }

    /// A second user, with nothing bound.
    pub async fn stranger(&self) -> (User, String) {
        let stranger = self.store.add_user("stranger").await.unwrap();
        let (_, token) = self.token(&stranger, Grants::default()).await;
        (stranger, token)
    }

    /// A team's pool that a user owns.
    pub async fn team(&self, owner: &User) -> PoolId {
        let id = self.store.reserve_pool_id().await.unwrap();
        self.found(id, owner).await;
        id
    }

    async fn found(&self, id: PoolId, owner: &User) {
        let now = clock::now();
        let team = Team { id, name: format!("team {id}"), created_at: now };
        let founder = membership(&self.vault, id, owner.id, TeamRole::Owner, now);
        assert_eq!(self.store.found_team(team, founder).await.unwrap(), Seating::Done);
    }

    pub async fn join(&self, pool: PoolId, user: &User, role: TeamRole) {
        // Each later than the one before, however fast the test is.
        let teams = self.store.memberships_of(user.id).await.unwrap().len();
        let at = clock::now() + jiff::SignedDuration::from_millis(i64::try_from(teams).unwrap());
        let seat = membership(&self.vault, pool, user.id, role, at);
        assert_eq!(self.store.seat(None, seat).await.unwrap(), Seating::Done);
    }

    /// Lets somebody into the pool of the rig's user and its accounts, as if that were a
    /// team's.
    pub async fn let_in(&self, user: &User) -> PoolId {
        let pool = self.user.pool;
        if self.store.teams_among(&[pool]).await.unwrap().is_empty() {
            self.found(pool, &self.user).await;
        }
        self.join(pool, user, TeamRole::Member).await;
        pool
    }

    pub async fn bind(
        &self,
        user: &User,
        platform: &str,
        name: &str,
        key: &str,
        limit: u64,
    ) -> AccountId {
        self.bind_in(calm_zone(), user, platform, name, key, limit).await
    }

    /// As [`Rig::bind`], in a team's pool.
    pub async fn bring(&self, pool: PoolId, user: &User, platform: &str, key: &str) -> AccountId {
        let face = self.catalogue.platform(platform).unwrap().face(None).unwrap();
        let credential = Credential::parse(face, key).unwrap();
        let name = format!("of {}", user.name);
        let (zone, limit) = (calm_zone(), 1_000_000);
        self.bind_credential(None, zone, user, platform, &name, &credential, limit, None, pool)
            .await
    }

    /// As [`Rig::bind`], on a face of the platform's that is not its usual one.
    pub async fn bind_to_face(
        &self,
        dialect: &str,
        user: &User,
        platform: &str,
        name: &str,
        key: &str,
    ) -> AccountId {
        self.bind_with(Some(dialect), calm_zone(), user, platform, name, key, 1_000_000).await
    }

    /// As [`Rig::bind`], with a day in this zone.
    pub async fn bind_in(
        &self,
        zone: &str,
        user: &User,
        platform: &str,
        name: &str,
        key: &str,
        limit: u64,
    ) -> AccountId {
        self.bind_with(None, zone, user, platform, name, key, limit).await
    }

    #[expect(clippy::too_many_arguments, reason = "all that an account is made of")]
    async fn bind_with(
        &self,
        dialect: Option<&str>,
        zone: &str,
        user: &User,
        platform: &str,
        name: &str,
        key: &str,
        limit: u64,
    ) -> AccountId {
        let entry = self.catalogue.platform(platform).unwrap();
        let face = entry.face(dialect.and_then(DialectName::named)).unwrap();
        let credential = Credential::parse(face, key).unwrap();
        let pool = user.pool;
        self.bind_credential(dialect, zone, user, platform, name, &credential, limit, None, pool)
            .await
    }

    /// Binds what an authorization brought, through the store's interface.
    pub async fn bind_login(
        &self,
        platform: &str,
        name: &str,
        login: &Credential,
        expires_at: Option<Timestamp>,
    ) -> AccountId {
        let (zone, user) = (calm_zone(), &self.user);
        let pool = user.pool;
        self.bind_credential(None, zone, user, platform, name, login, 1_000_000, expires_at, pool)
            .await
    }

    #[expect(clippy::too_many_arguments, reason = "an account has as many parts")]
    async fn bind_credential(
        &self,
        dialect: Option<&str>,
        zone: &str,
        user: &User,
        platform: &str,
        name: &str,
        credential: &Credential,
        limit: u64,
        expires_at: Option<Timestamp>,
        pool: PoolId,
    ) -> AccountId {
        let id = self.store.reserve_account_id().await.unwrap();
        let place =
            Place { pool: pool.0, account: id.0, platform, field: CREDENTIAL_FIELD, generation: 1 };
        let plain = Plain::from(credential.to_sealed().to_vec());
        let account = NewAccount {
            id,
            pool,
            owner: user.id,
            owner_proof: prove_owner(&self.vault, id, user.id),
            platform: PlatformId::from(platform),
            name: name.into(),
            dialect: dialect.map(str::to_owned),
            windows: vec![WindowSpec {
                period: Period::Day { zone: zone.into() },
                limit: Some(Tokens(limit)),
                origin: Origin::Hand,
            }],
            priority: Priority::default(),
            sealed: self.vault.seal_credential(&place, &plain).unwrap(),
            generation: 1,
            expires_at,
        };
        self.store.add_account(account).await.unwrap();
        id
    }

    /// The user's accounts on a platform, by id.
    pub async fn accounts(&self, platform: &str) -> Vec<AccountState> {
        self.accounts_of(&self.user, platform).await
    }

    pub async fn accounts_of(&self, user: &User, platform: &str) -> Vec<AccountState> {
        let resets = Resets::after(clock::now(), [calm_zone()]);
        let mut all = self.store.accounts_in(&[user.pool], &resets).await.unwrap();
        all.retain(|state| state.account.platform.as_str() == platform);
        all
    }

    /// The accounts of a pool.
    pub async fn in_pool(&self, pool: PoolId) -> Vec<AccountState> {
        let resets = Resets::after(clock::now(), [calm_zone()]);
        self.store.accounts_in(&[pool], &resets).await.unwrap()
    }

    /// One of the user's accounts on a platform: 0 is the first.
    pub async fn account(&self, platform: &str, number: usize) -> AccountState {
        self.accounts(platform).await.swap_remove(number)
    }

    /// The record of a call, once it is written.
    pub async fn record(&self, answer: &Answer) -> Record {
        self.record_named(answer.header("x-request-id")).await
    }

    pub async fn record_named(&self, id: &str) -> Record {
        let mut found = None;
        self.until(async || {
            // It is among the newest.
            let records = self.store.records_of(self.user.id, None, 100).await.unwrap();
            found = records.into_iter().find(|record| record.id == id);
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    /// The user's records, newest first.
    pub async fn records(&self) -> Vec<Record> {
        self.store.records_of(self.user.id, None, 10_000).await.unwrap()
    }

    /// Every charge on the user's accounts on a platform.
    pub async fn charges(&self, platform: &str) -> Vec<ChargeRow> {
        let platform = PlatformId::from(platform);
        let mut all: Vec<ChargeRow> = Vec::new();
        loop {
            let after = all.last().map(|row| row.cursor.clone());
            let page = self.store.charges(self.user.pool, &platform, after.as_deref(), 500).await;
            let page = page.unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    /// Waits until no lease is open on the user's accounts on a platform.
    pub async fn all_settled(&self, platform: &str) {
        self.until(async || {
            self.accounts(platform).await.iter().all(|state| state.leased == Tokens::ZERO)
        })
        .await;
    }
}
