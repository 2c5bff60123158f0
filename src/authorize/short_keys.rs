//! Short-lived keys: made once for all who need one, and renewed before their end.
//!
//! In one process one task makes an account's key and others wait for it; of several
//! gateways the one with the claim does. The task is nobody's request: a caller who hangs
//! up breaks nothing off. Should its gateway die, the claim ends by its time. A key of too
//! many costs nothing but itself, so nothing is fenced further.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use super::fetch::{KeyError, fetch};
use super::open::open;
use super::seals::{NoSeal, count_seal};
use crate::accounts::{Account, AccountId, LeaseId, PlatformId, ShortKey};
use crate::platforms::{Credential, Face, Issued, Platform, Secret};
use crate::store::{Store, StoreError};
use crate::telemetry::clock::{self, Stopwatch};
use crate::upstream::Client;
use crate::vault::{Plain, Vault};

/// The field that a short-lived key's seal is bound to.
pub(super) const FIELD: &str = "short_key";
/// A claim lasts longer than a request for a key.
const CLAIM: Duration = Duration::from_secs(30);
/// As long as another's key is waited for, and how often is looked.
const PATIENCE: Duration = Duration::from_secs(25);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Who comes so soon after a failure is told of it: it would fail the same way.
const FAILED_LATELY: Duration = Duration::from_secs(2);
/// An early renewal that failed is tried again after this.
const EARLY_AGAIN: Duration = Duration::from_secs(15);
/// A key that ends sooner is not sent: it would end on its way.
const MARGIN: SignedDuration = SignedDuration::from_secs(10);

/// The short-lived keys of all accounts.
pub struct ShortKeys {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    turns: Mutex<HashMap<Owner, Arc<Turn>>>,
    /// Keys of the operator's own credentials, which lie in no store.
    operators: Mutex<HashMap<Owner, ShortKey>>,
}

/// Whose key it is: an account's, or that of the operator's credential of a number.
type Owner = (AccountId, PlatformId, u64);

/// Whose turn it is to make one key in this process, and how the last try failed.
type Turn = tokio::sync::Mutex<Option<(Stopwatch, KeyError)>>;

/// Who asks for a key.
#[derive(Clone)]
pub struct Asking {
    /// What the issuer is asked with.
    pub client: Client,
    /// Where tasks live that outlast their request.
    pub tasks: TaskTracker,
    /// The account's platform.
    pub platform: Arc<Platform>,
    /// Its face there.
    pub face: Arc<Face>,
    /// The account.
    pub account: Arc<Account>,
    /// A key that ends no later than this was refused.
    pub refused: Option<Timestamp>,
}

impl ShortKeys {
    /// The keys of a store's accounts.
    pub fn new(store: Arc<dyn Store>, vault: Arc<Vault>) -> Self {
        Self { store, vault, turns: Mutex::default(), operators: Mutex::default() }
    }

    /// The account's short-lived key, and when it ends: the one that is there, or a new one.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn key(self: &Arc<Self>, asking: &Asking) -> Result<(Secret, Timestamp), KeyError> {
        let there = self
            .there(&asking.account, asking.refused)
            .and_then(|key| Some((self.open(&asking.account, &key)?, key)));
        let now = clock::now();
        match there {
            Some((key, short)) if now < short.renew_at => Ok((key, short.ends_at)),
            Some((key, short)) => {
                // It still lives: nobody waits for the next one.
                self.renew_early(asking);
                Ok((key, short.ends_at))
            }
            None => {
                let (keys, own) = (self.clone(), asking.clone());
                let made = asking.tasks.spawn(async move { keys.make(&own).await }).await;
                let ends = "the gateway is shutting down";
                let lost = |_| KeyError::Store(StoreError::Unavailable(ends.into()));
                let (account, short) = made.map_err(lost)??;
                let key = self.open(&account, &short);
                let key = key.ok_or_else(|| unkept("a key that was just sealed does not open"))?;
                Ok((key, short.ends_at))
            }
        }
    }

    /// The key that is there, if it can be sent.
    fn there(&self, account: &Account, refused: Option<Timestamp>) -> Option<ShortKey> {
        let key = if account.id == AccountId::OPERATOR {
            let own = self.operators.lock().unwrap_or_else(PoisonError::into_inner);
            own.get(&owner(account)).cloned()
        } else {
            account.own_short_key().cloned()
        };
        key.filter(|key| {
            key.ends_at.duration_since(clock::now()) > MARGIN
                && refused.is_none_or(|refused| key.ends_at > refused)
        })
    }

    /// A key whose wrapping left the ring is as good as none.
    fn open(&self, account: &Account, key: &ShortKey) -> Option<Secret> {
        let plain = self.vault.open_credential(&account.place(FIELD), &key.sealed).ok()?;
        let text = std::str::from_utf8(plain.expose_secret()).ok()?;
        Some(Zeroizing::new(text.to_owned()))
    }

    /// Makes the next key behind the request, unless somebody does, or failed at it lately.
    fn renew_early(self: &Arc<Self>, asking: &Asking) {
        let Ok(mut turn) = self.turn(&asking.account).try_lock_owned() else { return };
        if turn.as_ref().is_some_and(|(since, _)| since.elapsed() < EARLY_AGAIN) {
            return;
        }
        let (keys, own) = (self.clone(), asking.clone());
        asking.tasks.spawn(async move {
            let made = keys.make_or_wait(&own, true).await;
            *turn = failed(&made);
            match made {
                Ok(_) | Err(KeyError::Awaited) => {}
                Err(error) => {
                    let (account, platform) = (own.account.id.0, &own.platform.id);
                    tracing::warn!(account, %platform, %error, "no new short-lived key");
                }
            }
        });
    }

    /// Makes the next key, or waits for whoever does.
    async fn make(&self, asking: &Asking) -> Result<(Arc<Account>, ShortKey), KeyError> {
        let mut turn = self.turn(&asking.account).lock_owned().await;
        if let Some((since, error)) = &*turn
            && since.elapsed() < FAILED_LATELY
        {
            return Err(error.clone());
        }
        let made = self.make_or_wait(asking, false).await;
        *turn = failed(&made);
        made
    }

    /// `early`: the last one still lives, so whoever makes it already is left to it.
    async fn make_or_wait(
        &self,
        asking: &Asking,
        early: bool,
    ) -> Result<(Arc<Account>, ShortKey), KeyError> {
        let id = asking.account.id;
        if id == AccountId::OPERATOR {
            return match self.fresh(&asking.account, asking, early) {
                Some(key) => Ok((asking.account.clone(), key)),
                None => self.fetch(asking, asking.account.clone()).await,
            };
        }
        let claim = LeaseId(u128::from(random()?) << 64 | u128::from(random()?));
        let since = Stopwatch::start();
        loop {
            let claimed = self.store.claim_renewal(id, claim, CLAIM).await.map_err(store)?;
            let account = self.store.account(id).await.map_err(store)?;
            let account = account.ok_or_else(|| unkept("the account was removed"))?;
            let fresh = self.fresh(&account, asking, early);
            if claimed || fresh.is_some() {
                let made = match fresh {
                    Some(key) => Ok((account, key)),
                    None => self.fetch(asking, account).await,
                };
                if claimed && let Err(error) = self.store.end_renewal(id, claim).await {
                    tracing::debug!(%error, "a claim ends by its time");
                }
                return made;
            }
            if early || since.elapsed() >= PATIENCE {
                return Err(KeyError::Awaited);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// A key that somebody else made meanwhile.
    fn fresh(&self, account: &Account, asking: &Asking, early: bool) -> Option<ShortKey> {
        let key = self.there(account, asking.refused)?;
        let opens = self.open(account, &key).is_some();
        (opens && !(early && key.renew_at <= clock::now())).then_some(key)
    }

    async fn fetch(
        &self,
        asking: &Asking,
        account: Arc<Account>,
    ) -> Result<(Arc<Account>, ShortKey), KeyError> {
        let credential: Credential =
            open(&self.vault, &account).map_err(|error| KeyError::Unkept(error.to_string()))?;
        let Asking { client, platform, face, .. } = asking;
        let issuer = credential.issuer(face).ok_or_else(|| unkept("nobody issues such keys"))?;
        let asked_at = clock::now();
        let issued = fetch(client, platform, face, issuer, &credential).await?;
        let key = self.seal(&account, issued, asked_at).await?;
        self.keep(&account, key.clone()).await?;
        Ok((account, key))
    }

    async fn keep(&self, account: &Account, key: ShortKey) -> Result<(), KeyError> {
        if account.id == AccountId::OPERATOR {
            let mut own = self.operators.lock().unwrap_or_else(PoisonError::into_inner);
            own.insert(owner(account), key);
            return Ok(());
        }
        // One that ends later may have come meanwhile: this one is good all the same.
        self.store.keep_short_key(account.id, key).await.map(drop).map_err(store)
    }

    async fn seal(
        &self,
        account: &Account,
        issued: Issued,
        asked_at: Timestamp,
    ) -> Result<ShortKey, KeyError> {
        let counted = count_seal(&*self.store, &self.vault).await;
        let counted = counted.map_err(|error| match error {
            NoSeal::Store(error) => store(error),
            NoSeal::Seal(error) => KeyError::Unkept(error.to_string()),
        });
        if let Some(worn) = counted? {
            tracing::warn!("{worn}");
        }
        let plain = Plain::from(issued.key.as_bytes().to_vec());
        let sealed = self.vault.seal_credential(&account.place(FIELD), &plain);
        let sealed = sealed.map_err(|error| KeyError::Unkept(error.to_string()))?;
        let lead = lead(issued.ends_at.duration_since(asked_at));
        let renew_at = issued.ends_at.checked_sub(lead).unwrap_or(issued.ends_at);
        Ok(ShortKey { sealed, generation: account.generation, renew_at, ends_at: issued.ends_at })
    }

    fn turn(&self, account: &Account) -> Arc<Turn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(owner(account)).or_default().clone()
    }
}

fn owner(account: &Account) -> Owner {
    let generation = if account.id == AccountId::OPERATOR { account.generation } else { 0 };
    (account.id, account.platform.clone(), generation)
}

/// How long before its end a key is renewed: a tenth of its life, five minutes at least,
/// but half of its life at most.
fn lead(life: SignedDuration) -> SignedDuration {
    (life / 10).max(SignedDuration::from_mins(5)).min(life / 2)
}

fn random() -> Result<u64, KeyError> {
    getrandom::u64().map_err(|error| KeyError::Unkept(error.to_string()))
}

fn store(error: StoreError) -> KeyError {
    match error {
        passing if passing.is_passing() => KeyError::Store(passing),
        error => KeyError::Unkept(error.to_string()),
    }
}

/// A failure of the issuer's: whoever asks soon would hear the same.
fn failed<T>(made: &Result<T, KeyError>) -> Option<(Stopwatch, KeyError)> {
    match made {
        Err(error @ (KeyError::Refused(_) | KeyError::Unreachable(_) | KeyError::Failed(_))) => {
            Some((Stopwatch::start(), error.clone()))
        }
        Ok(_) | Err(KeyError::Awaited | KeyError::Store(_) | KeyError::Unkept(_)) => None,
    }
}

fn unkept(why: &str) -> KeyError {
    KeyError::Unkept(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::NewAccount;
    use crate::store::sqlite::{Options, SqliteStore};
    use crate::vault::{KeyRing, SealedCredential};

    #[tokio::test]
    async fn a_key_that_a_full_disk_does_not_keep_fails_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { max_pages: Some(80), ..Options::default() };
        let store = SqliteStore::open(&folder.path().join("state.db"), options).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let ann = store.add_user("ann").await.unwrap();
        let id = store.reserve_account_id().await.unwrap();
        let sealed = SealedCredential { wrapped_key: "wrapped".into(), body: "sealed".into() };
        let new = NewAccount {
            id,
            pool: ann.pool,
            owner: ann.id,
            owner_proof: "k1.of-ann".into(),
            platform: "ernie".into(),
            name: "one".into(),
            dialect: None,
            windows: Vec::new(),
            priority: Default::default(),
            sealed,
            generation: 1,
            expires_at: None,
        };
        store.add_account(new).await.unwrap();
        let account = store.account(id).await.unwrap().unwrap();
        let filler = "x".repeat(2000);
        let mut users = 0;
        while store.add_user(&format!("{users}{filler}")).await.is_ok() {
            users += 1;
            assert!(users < 1000, "it is never full");
        }
        let ring = KeyRing::parse("one:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        let keys = ShortKeys::new(store, Arc::new(Vault::new(&ring)));
        // Longer than any, so that it needs pages of its own.
        let now = clock::now();
        let (key, ends_at) = ("x".repeat(20_000).into(), now + SignedDuration::from_hours(1));
        let key = keys.seal(&account, Issued { key, ends_at }, now).await.unwrap();
        let failed = keys.keep(&account, key).await.unwrap_err();
        assert!(matches!(failed, KeyError::Store(StoreError::Full(_))), "{failed:?}");
        assert!(failed.to_string().starts_with("the disk is full: "), "{failed}");
    }

    #[test]
    fn a_key_is_renewed_well_before_its_end() {
        let seconds = SignedDuration::from_secs;
        for (life, before) in
            [(60, 30), (300, 150), (1800, 300), (3600, 360), (30 * 86_400, 3 * 86_400)]
        {
            assert_eq!(lead(seconds(life)), seconds(before), "{life}");
        }
    }
}
