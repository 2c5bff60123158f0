//! The way to the store: the file itself, or the gateway that holds it.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::Failure;
use super::beside::Beside;
use crate::config::Settings;
use crate::store::{self, Directory, StoreError};
use crate::vault::Vault;

/// How often a file that another command holds is asked for, and how long between.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// Opens the store, or finds the gateway that holds it: `vault` proves the command there.
pub(super) async fn open(
    settings: &Settings,
    vault: impl AsyncFn() -> Result<Arc<Vault>, Failure>,
) -> Result<Arc<dyn Directory>, Failure> {
    let mut held_by = String::new();
    for _ in 0..TRIES {
        match store::holder(&settings.store)? {
            None => match store::open(&settings.store).await {
                Ok(store) => return Ok(store),
                // Taken by another since it was asked for.
                Err(StoreError::Unusable(why)) if store::holder(&settings.store)?.is_some() => {
                    held_by = why;
                }
                Err(error) => return Err(error.into()),
            },
            // A gateway tells where its operator may ask.
            Some(holder) => match holder.parse::<SocketAddr>() {
                Ok(operator) => {
                    return Ok(Arc::new(Beside::new(reachable(operator), vault().await?)));
                }
                Err(_) => held_by = format!("the store is in use by {holder}"),
            },
        }
        // Another command, which takes milliseconds, or a gateway about to listen.
        tokio::time::sleep(PAUSE).await;
    }
    Err(Failure::other(held_by, "Try again when that process is done."))
}

/// Every address of a host is reached by its loopback one.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let mut address = listen;
    if listen.ip().is_unspecified() {
        address.set_ip(match listen {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
