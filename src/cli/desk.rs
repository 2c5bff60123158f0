//! What commands share: the configuration, the key ring, the way to the store.

use std::path::Path;
use std::sync::Arc;

use super::{Common, Failure, directory, ring};
use crate::accounts::{Resets, User};
use crate::config::{Config, DEFAULT_FILE, Environment, Mistakes, OwnRing, key_ring};
use crate::relay::Zones;
use crate::store::Directory;
use crate::vault::Vault;

/// A command's desk.
pub(super) struct Desk {
    pub(super) config: Config,
    pub(super) environment: Environment,
    pub(super) json: bool,
}

impl Desk {
    /// Reads the configuration.
    pub(super) fn open(common: &Common) -> Result<Self, Failure> {
        let environment = Environment::of_process();
        let config = load(common, &environment)?;
        Ok(Self { config, environment, json: common.json })
    }

    /// The key ring's vault.
    pub(super) async fn vault(&self, own: OwnRing) -> Result<Arc<Vault>, Failure> {
        let ring = key_ring(&self.environment, own).await?.ok_or(Failure::NoKeys)?;
        Ok(Arc::new(Vault::new(&ring)))
    }

    /// The directory, for a command that reads, or writes what needs no key.
    pub(super) async fn directory(&self) -> Result<Arc<dyn Directory>, Failure> {
        // Without a ring only a gateway that holds the store is out of reach.
        let vault = async || self.vault(OwnRing::IfThere).await;
        directory::open(&self.config.settings, vault).await
    }

    /// The directory, for a command that seals or proves: under a ring that fits it.
    pub(super) async fn sealing(&self) -> Result<(Arc<dyn Directory>, Arc<Vault>), Failure> {
        let vault = self.vault(OwnRing::IfThere).await?;
        let directory = directory::open(&self.config.settings, async || Ok(vault.clone())).await?;
        if let Some(warning) = ring::prove(&*directory, &vault).await? {
            eprintln!("warning: {warning}");
        }
        Ok((directory, vault))
    }

    /// The next resets of the catalogue's zones.
    pub(super) fn resets(&self) -> Arc<Resets> {
        Zones::new(self.config.catalogue.zones()).resets()
    }
}

/// Reads the configuration that `--config` names, or the working folder's.
pub(super) fn load(common: &Common, environment: &Environment) -> Result<Config, Mistakes> {
    let default = Path::new(DEFAULT_FILE);
    let file = common.config.as_deref().or_else(|| default.exists().then_some(default));
    Config::load(file, environment)
}

/// A user by name.
pub(super) async fn user_named(directory: &dyn Directory, name: &str) -> Result<User, Failure> {
    let user = directory.user_named(name).await?;
    user.ok_or_else(|| {
        let fix = format!("See `tributary user list`, or run: tributary user add {name}");
        Failure::other(format!("there is no user `{name}`"), fix)
    })
}

/// The users that `--user` names: that one, or all.
pub(super) async fn users(
    directory: &dyn Directory,
    name: Option<&str>,
) -> Result<Vec<User>, Failure> {
    match name {
        Some(name) => Ok(vec![user_named(directory, name).await?]),
        None => Ok(directory.users().await?),
    }
}
