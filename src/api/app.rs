//! What handlers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Errands;
use crate::oidc::Provider;
use crate::relay::Gateway;

/// One thread's handlers' state.
pub struct App {
    /// The way to an answer.
    pub gateway: Gateway,
    /// Whether callers are served.
    pub health: Arc<Health>,
    /// Errands of commands that run beside the gateway.
    pub errands: Errands,
    /// The OpenID provider that people may sign in at.
    pub oidc: Option<Provider>,
    /// Where browsers reach the gateway, if that is set.
    pub public_url: Option<url::Url>,
    /// The longest request body, in bytes.
    pub max_body_bytes: usize,
    /// The longest silence inside a request's body.
    pub body_timeout: Duration,
}

/// Whether callers are served.
#[derive(Debug, Default)]
pub struct Health {
    draining: AtomicBool,
}

impl Health {
    /// From now on `/readyz` says 503.
    pub fn begin_drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the gateway is shutting down.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
