//! The format of what lies on Redis: a number, as the embedded store's file has one.
//!
//! Gateways of one version read what those of the version before wrote, and write it anew. The
//! other way round they don't: a gateway that finds a newer format than it knows is refused,
//! before it misreads an account.

use redis::Cmd;

use super::super::{Answer, StoreError};
use super::{RedisStore, keys};

/// What this version writes. 0 is what lies there from before there was a number.
const FORMAT: u32 = 2;

impl RedisStore {
    /// Refuses a format that is newer than ours; of what is older or empty it is ours from now on.
    pub(super) async fn claim_format(&self) -> Answer<()> {
        let mut call: Cmd = self.scripts.claim_format.call(&[keys::FORMAT]);
        call.arg(FORMAT);
        let found: u32 = self.scripts.claim_format.run(&self.link, &call).await?;
        if found > FORMAT {
            return Err(StoreError::Unusable(format!(
                "the state on this Redis has format {found}, of a newer version of Tributary; \
                 this one knows formats up to {FORMAT}"
            )));
        }
        Ok(())
    }
}
