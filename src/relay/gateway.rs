//! What every request shares.

use std::sync::Arc;
use std::time::Duration;

use super::books::Books;
use super::caller::Callers;
use super::drain::{Draining, Drains};
use super::hearing::Hearing;
use super::lane::Lanes;
use super::notices::Sender;
use super::points::OperatorKeys;
use super::send::Clocks;
use super::settings::Settings;
use super::unable::Unable;
use super::zones::Zones;
use crate::authorize::ShortKeys;
use crate::identity::{self, CookieStyle, People};
use crate::oidc::Registration;
use crate::platforms::{Catalogue, Hangup, Platform};
use crate::store::{Answer, Store};
use crate::telemetry::Metrics;
use crate::upstream::Client;
use crate::vault::Vault;

/// The parts of a gateway that its threads share.
#[derive(Clone)]
pub struct Parts {
    /// The platforms.
    pub catalogue: Arc<Catalogue>,
    /// The state.
    pub store: Arc<dyn Store>,
    /// The seals.
    pub vault: Arc<Vault>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The queue to the store.
    pub books: Books,
    /// The zones' resets.
    pub zones: Arc<Zones>,
    /// The callers that were found lately.
    pub callers: Arc<Callers>,
    /// Who signs in to the console.
    pub people: Arc<People>,
    pub(super) lanes: Arc<Lanes>,
    pub(super) operator_keys: Arc<OperatorKeys>,
    /// Where notices are sent.
    pub senders: Vec<Arc<Sender>>,
    /// This gateway at an OpenID provider, if people may sign in at one.
    pub oidc: Option<Arc<Registration>>,
    pub(super) short_keys: Arc<ShortKeys>,
    pub(super) hearing: Arc<Hearing>,
    pub(super) clocks: Arc<Clocks>,
    pub(super) unable: Arc<Unable>,
    pub(super) lease_wait: Duration,
    pub(super) keep_alive: Duration,
    pub(super) max_attempts: usize,
    pub(super) kept_body_bytes: usize,
    pub(super) settings: Settings,
}

/// One thread's gateway: the shared parts and a client with connections of its own.
pub struct Gateway {
    /// What threads share.
    pub parts: Parts,
    /// Its client to platforms.
    pub client: Client,
    pub(super) draining: Arc<Draining>,
}

impl Parts {
    /// A gateway's shared parts.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn new(
        settings: &Settings,
        catalogue: Arc<Catalogue>,
        store: Arc<dyn Store>,
        vault: Arc<Vault>,
        metrics: Arc<Metrics>,
        books: Books,
    ) -> Answer<Self> {
        // An account's windows keep the zone that it was bound with.
        let mut zones = catalogue.zones();
        zones.extend(store.zones().await?);
        zones.sort_unstable();
        zones.dedup();
        let zones = Arc::new(Zones::new(zones));
        let keep_ms = settings.token_cache.as_millis().try_into().unwrap_or(0);
        let short_keys = Arc::new(ShortKeys::new(store.clone(), vault.clone()));
        let passwords = identity::Settings::default();
        let people = People::new(store.clone(), vault.clone(), &passwords, CookieStyle::default());
        Ok(Self {
            people: Arc::new(people),
            callers: Arc::new(Callers::new(store.clone(), vault.clone(), keep_ms)),
            catalogue,
            store,
            vault,
            metrics,
            books,
            zones,
            lanes: Arc::default(),
            operator_keys: Arc::default(),
            senders: Vec::new(),
            oidc: None,
            short_keys,
            hearing: Arc::default(),
            clocks: Arc::default(),
            unable: Arc::default(),
            lease_wait: settings.lease_wait.unsigned_abs(),
            keep_alive: settings.keep_alive.unsigned_abs(),
            max_attempts: settings.max_attempts.max(1),
            kept_body_bytes: settings.kept_body_bytes,
            settings: settings.clone(),
        })
    }
}

impl Parts {
    /// With passwords at these costs, and sessions in cookies of this style.
    #[must_use]
    pub fn with_people(self, passwords: &identity::Settings, cookies: CookieStyle) -> Self {
        let people = People::new(self.store.clone(), self.vault.clone(), passwords, cookies);
        Self { people: Arc::new(people), ..self }
    }

    /// With keys of the operator's own, for callers who have points.
    #[must_use]
    pub fn with_operator_keys(self, keys: OperatorKeys) -> Self {
        Self { operator_keys: Arc::new(keys), ..self }
    }
}

impl Parts {
    /// With ways out for notices.
    #[must_use]
    pub fn with_senders(self, senders: Vec<Sender>) -> Self {
        Self { senders: senders.into_iter().map(Arc::new).collect(), ..self }
    }
}

impl Parts {
    /// With an OpenID provider that people may sign in at.
    #[must_use]
    pub fn with_oidc(self, registration: Option<Registration>) -> Self {
        Self { oidc: registration.map(Arc::new), ..self }
    }
}

impl Gateway {
    /// A thread's gateway.
    pub fn new(parts: Parts, client: Client, drains: Drains) -> Self {
        let draining = Draining::new(drains, &parts.settings, client.gap());
        Self { parts, client, draining }
    }

    /// Where the streams of a platform are drained whose caller hangs up, if they are.
    pub(super) fn drains(&self, platform: &Platform) -> Option<Arc<Draining>> {
        match platform.on_hangup.unwrap_or(self.parts.settings.on_hangup) {
            Hangup::Cancel => None,
            Hangup::Drain => Some(self.draining.clone()),
        }
    }
}
