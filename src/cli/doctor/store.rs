//! The store, its clock, and whether the ring fits it.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::SignedDuration;

use super::checklist::{Checklist, Mark};
use crate::cli::{Desk, Failure, directory, ring};
use crate::store::{self, Directory};
use crate::telemetry::clock;
use crate::vault::Vault;

/// A clock that is off by more than this is told; by more than the other, platforms refuse
/// what is signed by it.
const OFF: SignedDuration = SignedDuration::from_secs(2);
const FAR_OFF: SignedDuration = SignedDuration::from_secs(60);

/// Looks at the store; answers it where it can be used.
pub(super) async fn look(
    desk: &Desk,
    vault: &Arc<Vault>,
    list: &mut Checklist,
) -> Option<Arc<dyn Directory>> {
    let settings = &desk.config.settings;
    let holder = store::holder(&settings.store).ok().flatten();
    let kind = settings.store.url.split(':').next().unwrap_or_default();
    let opened = directory::open(settings, async || Ok(vault.clone())).await;
    let directory = match opened {
        Ok(directory) => directory,
        Err(error) => {
            list.add(Mark::Wrong, "store", &error.to_string(), "See [store] url in gateway.toml.");
            return None;
        }
    };
    // Where a gateway holds the store, this is the first that it is asked.
    let head = match directory.audit_head().await {
        Ok(head) => head,
        Err(error) => {
            list.add(Mark::Wrong, "store", &error.to_string(), "");
            return None;
        }
    };
    let listens = holder.filter(|holder| holder.parse::<SocketAddr>().is_ok());
    let saw = match listens {
        Some(holder) => format!("{kind}, held by a gateway that listens on {holder}"),
        None => format!("{kind}, answers"),
    };
    list.add(Mark::Good, "store", &saw, "");
    let off = head.now.duration_since(clock::now()).abs();
    let mark = match off {
        _ if off > FAR_OFF => Mark::Wrong,
        _ if off > OFF => Mark::Warning,
        _ => Mark::Good,
    };
    let (saw, fix) = match mark {
        Mark::Good => ("the store and this machine agree".to_owned(), ""),
        _ => (
            format!("the store and this machine are {off:#} apart"),
            "Set both clocks (NTP): quotas reset by the store's, signatures are made by this one.",
        ),
    };
    list.add(mark, "clock", &saw, fix);
    keys(&*directory, vault, list).await.then_some(directory)
}

/// Whether the ring fits the store.
async fn keys(directory: &dyn Directory, vault: &Vault, list: &mut Checklist) -> bool {
    let fits = async {
        let missing = ring::fits(&directory.canaries().await?, vault)?;
        let seals = directory.seals().await?;
        let seals = seals.get(vault.sealing_kid().as_str()).copied().unwrap_or_default();
        Ok::<_, Failure>((missing, seals))
    };
    match fits.await {
        Err(error) => {
            list.add(Mark::Wrong, "keys", &error.to_string(), "");
            return false;
        }
        Ok((missing, _)) if !missing.is_empty() => {
            let saw = format!("this store's key {} is not in the ring", missing.join(", "));
            let fix = "tributary keys status tells whether anything lies under it";
            list.add(Mark::Warning, "keys", &saw, fix);
        }
        Ok((_, seals)) => match vault.may_seal(seals.saturating_add(1)) {
            Ok(None) => list.add(Mark::Good, "keys", "the ring fits the store", ""),
            Ok(Some(worn)) => list.add(Mark::Warning, "keys", &worn.to_string(), ""),
            Err(error) => list.add(Mark::Wrong, "keys", &error.to_string(), ""),
        },
    }
    true
}
