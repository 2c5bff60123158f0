//! `tributary serve`: the gateway.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use crate::config::Config;
use crate::relay::{Books, Parts};
use crate::server::{self, Running};
use crate::store::{self, Store};
use crate::telemetry::Metrics;
use crate::vault::Vault;

/// Serves until SIGTERM or SIGINT, then drains.
pub(super) async fn run(config: &Config, vault: Arc<Vault>) -> Result<(), Failure> {
    let store = store::open(&config.store).await?;
    let running = begin(config, store, vault).await?;
    tracing::info!(
        public = %running.addresses.public,
        operator = %running.addresses.operator,
        "serving"
    );
    until_told().await?;
    running.drain().await;
    Ok(())
}

/// Begins to serve on an open store.
pub(super) async fn begin(
    config: &Config,
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
) -> Result<Running, Failure> {
    prove_ring(&*store, &vault).await?;
    let metrics = Arc::new(Metrics::new());
    let (books, keeper) = Books::open(config.relay.queue);
    let catalogue = config.catalogue.clone();
    let parts = Parts::new(&config.relay, catalogue, store.clone(), vault, metrics, books);
    let running =
        server::start(&config.server, &config.operator, &config.upstream, parts, keeper)?;
    store.tell_holder(&running.addresses.operator.to_string())?;
    Ok(running)
}
