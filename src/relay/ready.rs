//! From a leased account to a credential that may be sent, and the face that it fits.

use std::sync::Arc;

use jiff::Timestamp;

use super::failure::Failure;
use super::gateway::Gateway;
use crate::accounts::{Account, Health};
use crate::authorize::{Asking, KeyError, Unopened, open};
use crate::platforms::{Credential, DialectName, Face, Hop, PlatformError};
use crate::telemetry::clock;
use crate::upstream::SendFailure;
use crate::vault::OpenError;

/// The short-lived keys of one attempt.
#[derive(Default)]
pub(super) struct ShortLived {
    /// When the one that was sent ends.
    sent: Option<Timestamp>,
    /// When the one ends that the platform refused.
    refused: Option<Timestamp>,
}

impl ShortLived {
    /// The platform refuses what was sent; answers whether another may be made.
    pub(super) fn is_refused(&mut self) -> bool {
        self.refused = self.sent.take();
        self.refused.is_some()
    }
}

impl Gateway {
    /// Opens a leased account's credential, with the short-lived key that is sent in its place
    /// where its platform makes such.
    pub(super) async fn ready(
        &self,
        hop: &Hop,
        account: &Arc<Account>,
        short_key: &mut ShortLived,
    ) -> Result<(Arc<Face>, Credential), Failure> {
        if let Some(end) = account.expires_at
            && end <= clock::now()
        {
            let reason = format!("its login ended at {end}");
            return Err(Failure::Credential(Health::Expired { reason }));
        }
        let credential = open(&self.parts.vault, account).map_err(unopened)?;
        let dialect = account.dialect.as_deref().and_then(DialectName::named);
        let face = hop.platform.face_for(dialect, &credential).ok_or_else(|| no_face(account))?;
        let face = hop.platform.reaching(face, &hop.model, &credential);
        let face = Face::of(face, credential.kind());
        if credential.issuer(face).is_none() {
            return Ok((face.clone(), credential));
        }
        let asking = Asking {
            client: self.client.clone(),
            tasks: self.draining.tasks(),
            platform: hop.platform.clone(),
            face: face.clone(),
            account: account.clone(),
            refused: short_key.refused,
        };
        // Boxed: large, and of few platforms.
        let key = Box::pin(self.parts.short_keys.key(&asking)).await;
        let (key, ends_at) = key.map_err(no_key)?;
        short_key.sent = Some(ends_at);
        Ok((face.clone(), credential.with_issued(key)))
    }
}

pub(super) fn unfit(error: &dyn std::fmt::Display) -> Failure {
    Failure::Unusable(error.to_string())
}

fn unopened(error: Unopened) -> Failure {
    let reason = error.to_string();
    match error {
        Unopened::Seal(OpenError::UnknownKid { .. }) => {
            Failure::Credential(Health::Locked { reason })
        }
        Unopened::Seal(_) => Failure::Credential(Health::Disabled { reason }),
        Unopened::Credential(error) => unfit(&error),
    }
}

fn no_key(error: KeyError) -> Failure {
    match error {
        KeyError::Refused(error) => Failure::Platform(*error),
        KeyError::Unreachable(why) => Failure::Send(SendFailure::NotConnected(why)),
        KeyError::Failed(why) => Failure::Platform(PlatformError::fault(why)),
        KeyError::Awaited => Failure::KeyAwaited,
        KeyError::Store(error) => Failure::Store(error),
        KeyError::Unkept(why) => Failure::Unusable(why),
    }
}

fn no_face(account: &Account) -> Failure {
    let dialect = account.dialect.as_deref().unwrap_or("any dialect");
    let reason = format!("{} is not reached by {dialect}", account.platform);
    Failure::Unusable(reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn a_key_that_the_store_does_not_keep_fails_as_the_store_did() {
        let full = || StoreError::Full("free some".into());
        for error in [full(), StoreError::Unavailable("gone".into())] {
            let is_full = matches!(error, StoreError::Full(_));
            let failure = no_key(KeyError::Store(error));
            let Failure::Store(failed) = failure else { panic!("{failure:?}") };
            assert_eq!(matches!(failed, StoreError::Full(_)), is_full);
        }
    }
}
