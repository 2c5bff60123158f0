//! Opens the store that the settings name.

use std::path::Path;
use std::sync::Arc;

use super::redis::RedisStore;
use super::sqlite::SqliteStore;
use super::{Answer, Settings, Store, redis, sqlite};

/// Opens a store.
///
/// # Errors
/// `StoreError::Unusable` when the URL names no store that we know, or the file can't be
/// used (another process has it, or it is from another version);
/// `StoreError::Unavailable` when the server does not answer.
pub async fn open(settings: &Settings) -> Answer<Arc<dyn Store>> {
    let deadline = settings.lease_deadline.unsigned_abs();
    let (keep, policy) = (settings.keep(), settings.policy);
    match scheme(&settings.url)? {
        Scheme::Sqlite(file) => {
            let options = sqlite::Options { deadline, keep, policy, ..sqlite::Options::default() };
            Ok(Arc::new(SqliteStore::open(Path::new(file), options)?))
        }
        Scheme::Redis => {
            let ca_file = settings.ca_file.clone();
            let options =
                redis::Options { deadline, keep, policy, ca_file, ..redis::Options::default() };
            Ok(Arc::new(RedisStore::open(&settings.url, options).await?))
        }
    }
}

/// Whether a store's URL holds a password.
pub fn holds_password(url: &str) -> bool {
    redis::holds_password(url)
}

/// Who holds the store, if one process alone may hold it and one does.
///
/// # Errors
/// As [`open`].
pub fn holder(settings: &Settings) -> Answer<Option<String>> {
    match scheme(&settings.url)? {
        Scheme::Sqlite(file) => SqliteStore::holder(Path::new(file)),
        Scheme::Redis => Ok(None),
    }
}

enum Scheme<'a> {
    Sqlite(&'a str),
    Redis,
}

fn scheme(url: &str) -> Answer<Scheme<'_>> {
    match url.split_once(':') {
        Some(("sqlite", file)) if !file.is_empty() => Ok(Scheme::Sqlite(file)),
        Some((scheme, _))
            if ["redis", "rediss"].contains(&scheme.split('+').next().unwrap_or("")) =>
        {
            Ok(Scheme::Redis)
        }
        _ => Err(redis::no_store()),
    }
}
