//! How often a sign-in may be tried: in this process first, which costs nothing, then in the
//! store for all gateways together.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::NoEntry;
use crate::accounts::AttemptKey;
use crate::store::{Answer, SignIns};
use crate::vault::{SecretKind, Vault};

/// What one network may ask of one process at once, and how often again: more than the store
/// allows it, since tries that succeed count here too.
const AT_ONCE: NonZeroU32 = NonZeroU32::new(60).expect("60 is not 0");
const A_MINUTE: NonZeroU32 = NonZeroU32::new(12).expect("12 is not 0");

/// With more networks than this, those that rest are forgotten.
const KEPT: usize = 10_000;

pub(super) struct Limits {
    here: DefaultKeyedRateLimiter<String>,
}

impl Default for Limits {
    fn default() -> Self {
        let quota = Quota::per_minute(A_MINUTE).allow_burst(AT_ONCE);
        Self { here: RateLimiter::keyed(quota) }
    }
}

/// A try that was counted.
pub(super) struct Try {
    name: Option<AttemptKey>,
    address: AttemptKey,
}

impl Limits {
    /// Counts a try from an address, of a name where one is tried.
    pub(super) async fn take(
        &self,
        store: &dyn SignIns,
        vault: &Vault,
        from: IpAddr,
        name: Option<&str>,
    ) -> Result<Try, NoEntry> {
        let network = network(from);
        self.take_here(&network)?;
        let address = AttemptKey::Address(network);
        let counted = async |key: &AttemptKey| {
            let counted = store.try_sign_in(key).await?;
            counted.map_err(|wait| NoEntry::TooOften { wait })
        };
        counted(&address).await?;
        let hash = |name| AttemptKey::Name(vault.secret_index(SecretKind::Name, name));
        let name = name.map(hash);
        if let Some(name) = &name {
            counted(name).await?;
        }
        Ok(Try { name, address })
    }

    /// Counts a try from an address in this process alone.
    pub(super) fn take_one_here(&self, from: IpAddr) -> Result<(), NoEntry> {
        self.take_here(&network(from))
    }

    fn take_here(&self, network: &str) -> Result<(), NoEntry> {
        if self.here.len() > KEPT {
            self.here.retain_recent();
        }
        self.here.check_key(&network.to_owned()).map_err(|refused| {
            let wait = refused.wait_time_from(self.here.clock().now());
            NoEntry::TooOften { wait: wait.max(Duration::from_secs(1)) }
        })
    }
}

impl Try {
    /// It succeeded: it counts no more.
    pub(super) async fn succeeded(self, store: &dyn SignIns) -> Answer<()> {
        if let Some(name) = &self.name {
            store.signed_in(name).await?;
        }
        store.signed_in(&self.address).await
    }
}

/// What an address is counted by: one of IPv4 itself, one of IPv6 by its /64, which is what one
/// subscriber has.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_ipv6_counts_with_its_network() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("2001:db8:1:2:ffff::1"), network("2001:db8:1:2::"));
    }

    #[test]
    fn a_process_hears_no_more_of_who_is_too_fast() {
        let limits = Limits::default();
        for _ in 0..AT_ONCE.get() {
            assert!(limits.take_here("192.0.2.7").is_ok());
        }
        assert!(matches!(limits.take_here("192.0.2.7"), Err(NoEntry::TooOften { .. })));
        assert!(limits.take_here("192.0.2.8").is_ok());
    }
}
