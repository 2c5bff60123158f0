//! Which store, and how much it keeps.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::accounts::Policy;

/// The store's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the state lies. `sqlite:FILE`: one gateway, nothing installed. Many gateways:
    /// `redis://HOST:PORT/DB`, `redis+sentinel://HOST:PORT,HOST:PORT/MASTER/DB` (the hosts
    /// are Sentinels), `redis+cluster://HOST:PORT,HOST:PORT`; `rediss…` is each of them over
    /// TLS. USER:PASSWORD@ before the hosts logs in to Redis, and
    /// `?sentinel_username=…&sentinel_password=…` to the Sentinels; a URL with a password
    /// belongs into TRIBUTARY_STORE__URL.
    pub url: String,
    /// A PEM file of authorities that Redis' TLS trusts instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// After this long without a sign of life from its gateway a lease is charged by its
    /// estimate. A living gateway renews its leases four times as often.
    #[schemars(with = "String")]
    #[serde(serialize_with = "jiff::fmt::serde::duration::friendly::compact::required")]
    pub lease_deadline: SignedDuration,
    /// How a pool picks an account that has quota, where `tributary pool policy` says nothing:
    /// `most_remaining`, `priority`, `round_robin`, or `sticky`, which keeps a conversation on
    /// its account for the platform's prompt cache. The same on every gateway of a store.
    pub policy: Policy,
    /// Records of calls, and the charges that the books are audited by, are kept for so many
    /// days. Totals are kept for good.
    pub keep_days: u32,
    /// And so many records of an account at most; the oldest go first.
    pub keep_records: usize,
    /// The audit log and notices are kept for so many days.
    pub keep_audit_days: u32,
}

impl Settings {
    /// How much the store keeps.
    pub(super) fn keep(&self) -> Keep {
        let days = |days: u32| Duration::from_secs(u64::from(days) * 24 * 3600);
        Keep {
            records_an_account: self.keep_records,
            age: days(self.keep_days),
            audit: days(self.keep_audit_days),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: "sqlite:tributary.db".into(),
            ca_file: None,
            lease_deadline: SignedDuration::from_secs(120),
            policy: Policy::default(),
            keep_days: 30,
            keep_records: 10_000,
            keep_audit_days: 90,
        }
    }
}

/// What tells the time, where tests must set it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The shortest that a lease lives: below this no gateway can renew in time, and a part
/// of it may be no time at all.
pub(super) const SHORTEST_DEADLINE: Duration = Duration::from_millis(100);

/// How much a store keeps of what it could keep for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Records of one account; the oldest go first. On Redis: of one user's calls on it.
    pub records_an_account: usize,
    /// Records and charges older than this go.
    pub age: Duration,
    /// Rows of the audit log older than this go; the newest stays.
    pub audit: Duration,
}

impl Keep {
    /// Charges of one account, where they lie in memory: they are small, and the books are
    /// audited by them.
    pub(super) fn charges(&self) -> usize {
        self.records_an_account.saturating_mul(10)
    }
}

impl Default for Keep {
    fn default() -> Self {
        Settings::default().keep()
    }
}
