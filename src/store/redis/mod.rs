//! The store on Redis, for many gateways.
//!
//! Every verb that counts is one script in one slot, so Redis' own order is the order of
//! events, and its clock the only one. What must hold is in the scripts (`lua/`); this
//! side builds their arguments and reads their answers.
//!
//! A server that is down makes a verb fail within two seconds; the connection comes back
//! by itself. Nothing is counted here, so nothing is counted wrong.

mod address;
mod arguments;
mod audit;
mod charges;
mod directory;
mod edit;
mod followers;
mod format;
#[cfg(test)]
mod gate;
mod health;
mod keys;
mod ledger;
mod link;
mod memory;
mod moves;
mod notices;
mod places;
mod policies;
mod purses;
mod records;
mod renewal;
mod replay;
mod roster;
mod scripts;
mod sealings;
mod shards;
mod sign_ins;
mod succession;
mod teams;
mod together;
mod tokens;
mod totals;
mod users;
mod view;
mod wire;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use super::rate::Rates;
use super::settings::SHORTEST_DEADLINE;
use super::{Answer, Clock, Keep, Store, StoreError};
use crate::accounts::{LeaseAsk, Policy};
use crate::telemetry::clock::{self, Stopwatch};
pub(super) use address::{holds_password, no_store};
use arguments::ZonesText;
use followers::Followers;
use keys::FamilyKeys;
use link::Link;
use memory::Memory;
use moves::Round;
use places::Places;
use policies::{Policies, Usual};
use roster::Roster;
use scripts::Scripts;
use together::Together;

/// What tests set; everyone else takes the default.
#[derive(Clone)]
pub struct Options {
    /// What tells the time instead of the server's `TIME`.
    pub clock: Option<Clock>,
    /// How long a lease lives without being renewed.
    pub deadline: Duration,
    /// How much is kept.
    pub keep: Keep,
    /// What TLS trusts instead of the system's authorities: a PEM file.
    pub ca_file: Option<PathBuf>,
    /// The policy of pools without one of their own; should gateways differ, that of the one
    /// which began to sweep last.
    pub policy: Policy,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: None,
            deadline: LeaseAsk::DEADLINE,
            keep: Keep::default(),
            ca_file: None,
            policy: Policy::default(),
        }
    }
}

/// The store on Redis.
#[derive(Clone)]
pub struct RedisStore {
    link: Arc<Link>,
    scripts: Arc<Scripts>,
    family_keys: Arc<FamilyKeys>,
    zones_text: Arc<ZonesText>,
    together: Arc<Together>,
    places: Arc<Places>,
    policies: Arc<Policies>,
    usual: Arc<Mutex<Usual>>,
    roster: Arc<Roster>,
    round: Arc<Round>,
    rates: Arc<Rates>,
    memory: Arc<Memory>,
    followers: Arc<Followers>,
    forgot_audit: Arc<Mutex<Option<Stopwatch>>>,
    options: Options,
}

impl RedisStore {
    /// Connects to a server, to the master that Sentinel names, or to a Cluster: the URL
    /// says which. Call it in the runtime that lives longest: the connection lives there
    /// ([`Store::in_this_runtime`] has one of its own).
    ///
    /// # Errors
    /// `StoreError::Unusable` for a URL that is none, and where a newer version's state lies;
    /// `StoreError::Unavailable` when no
    /// server answers.
    pub async fn open(url: &str, options: Options) -> Answer<Self> {
        let deadline = options.deadline.max(SHORTEST_DEADLINE);
        let store = Self {
            link: Arc::new(Link::open(url, options.ca_file.as_deref()).await?),
            scripts: Arc::new(Scripts::new()),
            family_keys: Arc::default(),
            zones_text: Arc::default(),
            together: Arc::default(),
            places: Arc::default(),
            policies: Arc::default(),
            usual: Arc::new(Mutex::new(Usual::unsaid(options.policy))),
            roster: Arc::default(),
            round: Arc::default(),
            rates: Arc::new(Rates::new(
                options.clock.clone().unwrap_or_else(|| Arc::new(clock::now)),
            )),
            memory: Arc::default(),
            followers: Arc::default(),
            forgot_audit: Arc::default(),
            options: Options { deadline, ..options },
        };
        store.claim_format().await?;
        store.find_usual().await?;
        Ok(store)
    }

    /// The time as scripts take it: 0 is the server's own.
    fn clock_ms(&self) -> i64 {
        self.options.clock.as_ref().map_or(0, |clock| clock().as_millisecond())
    }

    /// The store's time, for what no script does.
    async fn now(&self) -> Answer<Timestamp> {
        if let Some(clock) = &self.options.clock {
            return Ok(clock());
        }
        let (seconds, micros): (i64, i64) = self.link.ask(&redis::cmd("TIME")).await?;
        Timestamp::from_millisecond(seconds.saturating_mul(1000).saturating_add(micros / 1000))
            .map_err(|error| corrupt("time", error))
    }
}

impl Store for RedisStore {
    fn in_this_runtime(self: Arc<Self>) -> Arc<dyn Store> {
        let link = Arc::new(self.link.in_this_runtime());
        Arc::new(Self { link, together: Arc::default(), ..Self::clone(&self) })
    }
}

fn corrupt(what: &'static str, why: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt { what, why: why.to_string() }
}

fn from_json<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Answer<T> {
    serde_json::from_str(text).map_err(|error| corrupt(what, error))
}

fn to_json<T: serde::Serialize>(what: &'static str, value: &T) -> Answer<String> {
    serde_json::to_string(value).map_err(|error| corrupt(what, error))
}

/// Milliseconds that a script answered; 0 is none.
fn instant(what: &'static str, ms: i64) -> Answer<Option<Timestamp>> {
    match ms {
        0 => Ok(None),
        ms => Timestamp::from_millisecond(ms).map(Some).map_err(|error| corrupt(what, error)),
    }
}
