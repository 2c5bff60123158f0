//! Binding an account by a documented key. Nothing is asked of the platform.
//!
//! First where the account shall be ([`Wanted::target`]), then the key ([`Target::with_key`]),
//! then the store ([`Ready::bind`]): what is wrong is said before anything is written.

use std::sync::Arc;

use super::open::CREDENTIAL_FIELD;
use super::owner::prove_owner;
use super::seals::{NoSeal, count_seal};
use crate::accounts::{
    AccountId, Deed, Doer, NewAccount, Origin, PlatformId, PoolId, Priority, Tokens, UserId,
    WindowSpec,
};
use crate::platforms::{
    Catalogue, Credential, CredentialError, CredentialSpec, DialectName, Face, Platform,
};
use crate::store::{Directory, StoreError, write_down};
use crate::vault::{Place, Plain, SealError, Vault, Worn};

/// The longest name of an account, in characters.
pub const LONGEST_NAME: usize = 200;

/// An account that somebody wants to bind.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Where it lives.
    pub platform: &'a str,
    /// A name to know it by.
    pub name: &'a str,
    /// The wire format to reach it in; `None`: the one that its credential fits.
    pub dialect: Option<&'a str>,
    /// Its limit in its platform's first window; `None`: the platform's.
    pub limit: Option<Tokens>,
    /// Where it comes under [`crate::accounts::Policy::Priority`].
    pub priority: Priority,
}

/// Why an account is not bound. No text holds a part of a credential.
#[derive(Debug, thiserror::Error)]
pub enum Unbound {
    /// Its name is no line of text.
    #[error("an account's name is a line of text, {LONGEST_NAME} characters at most")]
    BadName,
    /// There is no such platform.
    #[error("there is no platform `{id}`")]
    UnknownPlatform {
        /// What was asked for.
        id: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The platform is not reached in this dialect.
    #[error("{platform} is not reached in `{dialect}`")]
    NoDialect {
        /// The platform's name.
        platform: String,
        /// What was asked for.
        dialect: String,
        /// What it is reached in.
        spoken: Vec<&'static str>,
    },
    /// The platform has no window that a limit could be set in.
    #[error("{platform} has no window that a limit could be of")]
    NoWindow {
        /// The platform's name.
        platform: String,
    },
    /// The credential is not what the platform takes.
    #[error("{platform}: {error}")]
    BadKey {
        /// The platform's name.
        platform: String,
        /// What is wrong with it.
        error: CredentialError,
        /// What the platform takes, and where a person gets it.
        help: String,
    },
    /// Another account of the pool on that platform has the name.
    #[error("there is already an account `{name}` on {platform}")]
    Taken {
        /// The name.
        name: String,
        /// The platform's name.
        platform: String,
    },
    /// The ring may not seal, or that can't be counted.
    #[error("{0}")]
    NoSeal(#[from] NoSeal),
    /// The credential can't be sealed.
    #[error("{0}")]
    Seal(#[from] SealError),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Where an account shall be.
pub struct Target<'a> {
    wanted: Wanted<'a>,
    platform: Arc<Platform>,
    face: Option<Arc<Face>>,
}

/// An account that can be bound.
pub struct Ready {
    account: Fixed,
    platform: Arc<Platform>,
    credential: Credential,
    face: Arc<Face>,
}

struct Fixed {
    name: String,
    windows: Vec<WindowSpec>,
    priority: Priority,
}

/// Whether an account may be called this.
pub fn is_name(name: &str) -> bool {
    !name.trim().is_empty()
        && name.chars().count() <= LONGEST_NAME
        && !name.chars().any(char::is_control)
}

/// What a platform takes as a key, and where a person gets it: a line for each way.
pub fn key_help(spec: &CredentialSpec) -> String {
    let rows = spec.rows().map(|row| [row.help.as_str(), row.get.as_str()].join(" "));
    rows.collect::<Vec<_>>().join("\n").trim().to_owned()
}

impl<'a> Wanted<'a> {
    /// The platform and the face that it names.
    ///
    /// # Errors
    /// What of it can't be.
    pub fn target(self, catalogue: &Catalogue) -> Result<Target<'a>, Unbound> {
        if !is_name(self.name) {
            return Err(Unbound::BadName);
        }
        let platform =
            catalogue.platform(self.platform).ok_or_else(|| Unbound::UnknownPlatform {
                id: self.platform.to_owned(),
                known: catalogue.platforms().map(|known| known.id.clone()).collect(),
            })?;
        if self.limit.is_some() && platform.windows.is_empty() {
            return Err(Unbound::NoWindow { platform: platform.name.clone() });
        }
        let face = self.dialect.map(|name| named(platform, name)).transpose()?;
        Ok(Target { wanted: self, platform: platform.clone(), face })
    }
}

impl Target<'_> {
    /// With its key, or a JSON object where several fields are needed, for the face that was
    /// named, or for the first that it fits.
    ///
    /// # Errors
    /// [`Unbound::BadKey`].
    pub fn with_key(self, text: &str) -> Result<Ready, Unbound> {
        let Self { wanted, platform, face: named } = self;
        let any = platform.faces.iter().filter(|_| named.is_none());
        let mut refused = None;
        for face in named.iter().chain(any) {
            match Credential::parse(face, text) {
                Ok(credential) => {
                    let account = Fixed {
                        name: wanted.name.to_owned(),
                        windows: windows_of(&platform, wanted.limit),
                        priority: wanted.priority,
                    };
                    let (face, platform) = (face.clone(), platform.clone());
                    return Ok(Ready { account, platform, credential, face });
                }
                Err(error) => _ = refused.get_or_insert((error, face)),
            }
        }
        let (error, face) = refused.expect("a platform has a face");
        let help = key_help(&face.credential);
        Err(Unbound::BadKey { platform: platform.name.clone(), error, help })
    }
}

impl Ready {
    /// Its platform.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The wire format that it is reached in.
    pub fn dialect(&self) -> DialectName {
        self.face.dialect
    }

    /// Seals the credential to its place, writes down who binds it and binds the account;
    /// answers its id, and a warning when the ring's key is worn.
    ///
    /// # Errors
    /// [`Unbound::Taken`], and what the ring and the store refuse.
    pub async fn bind(
        self,
        directory: &(impl Directory + ?Sized),
        vault: &Vault,
        doer: Doer,
        owner: UserId,
        pool: PoolId,
    ) -> Result<(AccountId, Option<Worn>), Unbound> {
        let Self { account: Fixed { name, windows, priority }, platform, credential, face } = self;
        let id = directory.reserve_account_id().await?;
        let generation = 1;
        let place = Place {
            pool: pool.0,
            account: id.0,
            platform: &platform.id,
            field: CREDENTIAL_FIELD,
            generation,
        };
        let worn = count_seal(directory, vault).await?;
        let sealed = vault.seal_credential(&place, &Plain::from(credential.to_sealed()))?;
        // The usual face may change with the configuration; another one was chosen.
        let is_usual = platform.faces.first().is_some_and(|usual| usual.dialect == face.dialect);
        let account = NewAccount {
            id,
            pool,
            owner,
            owner_proof: prove_owner(vault, id, owner),
            platform: PlatformId::from(platform.id.as_str()),
            name: name.clone(),
            dialect: (!is_usual).then(|| face.dialect.as_str().to_owned()),
            windows,
            priority,
            sealed,
            generation,
            expires_at: None,
        };
        let deed = |action| {
            Deed::new(doer.clone(), action, "account", id)
                .of(owner)
                .with("platform", &platform.id)
                .with("name", &name)
        };
        // The log before the secret: a binding that can't be written down is none.
        write_down(directory, vault, deed("account.bind")).await?;
        if let Err(error) = directory.add_account(account).await {
            write_down(directory, vault, deed("account.bind_failed")).await?;
            return Err(match error {
                StoreError::Taken(_) => {
                    Unbound::Taken { name: name.clone(), platform: platform.name.clone() }
                }
                error => error.into(),
            });
        }
        Ok((id, worn))
    }
}

fn named(platform: &Platform, name: &str) -> Result<Arc<Face>, Unbound> {
    let face = DialectName::named(name).and_then(|dialect| platform.face(Some(dialect)));
    face.cloned().ok_or_else(|| Unbound::NoDialect {
        platform: platform.name.clone(),
        dialect: name.to_owned(),
        spoken: platform.faces.iter().map(|face| face.dialect.as_str()).collect(),
    })
}

/// A platform's windows, with a limit of the account's own in the first.
fn windows_of(platform: &Platform, limit: Option<Tokens>) -> Vec<WindowSpec> {
    let mut windows = platform.windows.clone();
    if let (Some(first), Some(limit)) = (windows.first_mut(), limit) {
        first.limit = Some(limit);
        first.origin = Origin::Hand;
    }
    windows
}
