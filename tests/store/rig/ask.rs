//! Asking for a lease in one line.

use std::sync::atomic::{AtomicU64, Ordering};

use tributary::accounts::{
    AccountId, Conversation, Grant, LeaseAsk, LeaseId, LeaseKey, PlatformId, Refusal, TokenId,
    Tokens, User,
};
use tributary::store::StoreError;

use super::Rig;

/// A lease that was granted.
#[derive(Clone, Debug)]
pub struct Held {
    pub key: LeaseKey,
    pub grant: Grant,
}

pub struct Ask<'a> {
    rig: &'a Rig,
    user: &'a User,
    token: TokenId,
    id: LeaseId,
    platform: PlatformId,
    model: &'a str,
    estimate: u64,
    only: Option<AccountId>,
    except: Vec<AccountId>,
    conversation: Option<Conversation>,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

/// An id that no other lease of this process has.
pub fn fresh_id() -> LeaseId {
    let low = u128::from(NEXT.fetch_add(1, Ordering::Relaxed));
    LeaseId(u128::from(std::process::id()) << 64 | low)
}

impl<'a> Ask<'a> {
    pub fn new(rig: &'a Rig, user: &'a User, estimate: u64) -> Self {
        Self {
            rig,
            user,
            token: TokenId(7),
            id: fresh_id(),
            platform: "qwen".into(),
            model: "qwen-plus",
            estimate,
            only: None,
            except: Vec::new(),
            conversation: None,
        }
    }

    pub fn id(mut self, id: LeaseId) -> Self {
        self.id = id;
        self
    }

    pub fn token(mut self, token: TokenId) -> Self {
        self.token = token;
        self
    }

    pub fn platform(mut self, platform: &str) -> Self {
        self.platform = platform.into();
        self
    }

    pub fn model(mut self, model: &'a str) -> Self {
        self.model = model;
        self
    }

    pub fn only(mut self, account: AccountId) -> Self {
        self.only = Some(account);
        self
    }

    pub fn except(mut self, accounts: &[AccountId]) -> Self {
        self.except = accounts.to_vec();
        self
    }

    pub fn conversation(mut self, number: u64) -> Self {
        self.conversation = Some(Conversation(number));
        self
    }

    pub async fn answer(self) -> Result<Held, Refusal> {
        self.told().await.unwrap()
    }

    /// The answer of a store that may fail.
    pub async fn told(self) -> Result<Result<Held, Refusal>, StoreError> {
        let resets = self.rig.resets();
        let ask = LeaseAsk {
            id: self.id,
            user: self.user.id,
            token: self.token,
            pool: self.user.pool,
            platform: &self.platform,
            model: &self.model.into(),
            estimate: Tokens(self.estimate),
            only: self.only,
            except: &self.except,
            conversation: self.conversation,
            resets: &resets,
        };
        let grant = match self.rig.store.lease(ask).await? {
            Ok(grant) => grant,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let key = LeaseKey {
            id: self.id,
            pool: self.user.pool,
            platform: self.platform,
            account: grant.account,
            user: self.user.id,
            token: self.token,
            model: self.model.into(),
            estimate: Tokens(self.estimate),
            granted_at: grant.granted_at,
        };
        Ok(Ok(Held { key, grant }))
    }

    /// The lease, which must be granted.
    pub async fn held(self) -> Held {
        self.answer().await.unwrap()
    }

    /// The account of a lease that must be granted.
    pub async fn lands_on(self) -> AccountId {
        self.held().await.grant.account
    }

    /// The refusal of a lease that must be refused.
    pub async fn refused(self) -> Refusal {
        self.answer().await.unwrap_err()
    }
}
