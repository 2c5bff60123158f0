//! `tributary serve`: the gateway.

use std::io;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Desk, Failure, print, ring};
use crate::authorize::count_seal;
use crate::config::{Config, OwnRing, notice_senders, oidc_registration, operator_keys};
use crate::identity::{CookieStyle, NoEntry};
use crate::oidc::Registration;
use crate::relay::{Books, OperatorKey, OperatorKeys, Parts, Sender};
use crate::server::{self, Running};
use crate::store::{self, Store};
use crate::telemetry::{Metrics, log};
use crate::vault::Vault;

/// Run the gateway, until SIGTERM or SIGINT.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// For trying out: make a key ring in your configuration folder where none is set.
    #[arg(long)]
    dev: bool,
}

impl Serve {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        begin_log(&desk.config)?;
        let own = if self.dev { OwnRing::Make } else { OwnRing::Never };
        let vault = desk.vault(own).await?;
        let keys = operator_keys(&desk.config, &desk.environment)?;
        let senders = notice_senders(&desk.config, &desk.environment)?;
        let oidc = oidc_registration(&desk.config, &desk.environment)?;
        let store = store::open(&desk.config.settings.store).await?;
        // Before anybody is answered: a signal that nobody listens for kills.
        let told = Told::listen()?;
        let cookies = if self.dev { CookieStyle::Plain } else { CookieStyle::Secure };
        let running = begin(&desk.config, store, vault, keys, senders, oidc, cookies).await?;
        tracing::info!(
            public = %running.addresses.public,
            operator = %running.addresses.operator,
            "serving"
        );
        let setup = setup(&desk.config, &running).await?;
        if let Some(Setup { url, token }) = &setup {
            // To whoever starts it, and not to the log: it is as good as a password.
            eprintln!(
                "There is no operator yet. Make the first one within 24 hours, once:\n\n    \
                 curl -H 'Content-Type: application/json' \\\n      \
                 -d '{{\"token\": \"{token}\", \"name\": \"YOU\", \"password\": \"…\"}}' \\\n      \
                 {url}\n"
            );
        }
        if desk.json {
            let mut facts = addresses(&running);
            facts["setup"] =
                setup.map(|Setup { url, token }| json!({"url": url, "token": token})).into();
            print::line(&facts.to_string())?;
        }
        serve_until_told(running, told).await
    }
}

/// Where a gateway answers, for scripts.
pub(super) fn addresses(running: &Running) -> serde_json::Value {
    json!({
        "base_url": format!("http://{}/v1", running.addresses.public),
        "operator_url": format!("http://{}", running.addresses.operator),
    })
}

/// What makes the first operator.
struct Setup {
    url: String,
    /// Good once.
    token: String,
}

/// What makes the first operator, where there is none yet.
async fn setup(config: &Config, running: &Running) -> Result<Option<Setup>, Failure> {
    let token = running.people.setup_link().await.map_err(|error| match error {
        NoEntry::Store(error) => error.into(),
        error => Failure::other(error.to_string(), "Start the gateway again."),
    })?;
    let public = config.settings.server.public_url.clone().map(url::Url::from);
    let base = match public {
        Some(url) => url.to_string(),
        None => format!("http://{}/", running.addresses.public),
    };
    Ok(token.map(|token| Setup { url: format!("{base}api/v1/setup"), token }))
}

/// Begins to log as the configuration says.
pub(super) fn begin_log(config: &Config) -> Result<(), Failure> {
    log::start(&config.settings.log).map_err(|error| Failure::other(error, "See [log] filter."))
}

/// Begins to serve on an open store, with these keys of the operator's own, and these ways
/// out for notices and this OpenID provider to sign in at.
pub(super) async fn begin(
    config: &Config,
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    keys: Vec<OperatorKey>,
    senders: Vec<Sender>,
    oidc: Option<Registration>,
    cookies: CookieStyle,
) -> Result<Running, Failure> {
    if let Some(warning) = ring::prove(&*store, &vault).await? {
        tracing::warn!("{warning}");
    }
    let mut worn = None;
    for _ in &keys {
        worn = count_seal(&*store, &vault).await?;
    }
    if let Some(worn) = worn {
        tracing::warn!("{worn}");
    }
    let settings = &config.settings;
    let keys = OperatorKeys::seal(&vault, keys)?;
    let (books, keeper) = Books::open(settings.relay.queue);
    let parts = Parts::new(
        &settings.relay,
        config.catalogue.clone(),
        store.clone(),
        vault,
        Arc::new(Metrics::new()),
        books,
    )
    .await?
    .with_operator_keys(keys)
    .with_people(&settings.passwords, cookies)
    .with_senders(senders)
    .with_oidc(oidc);
    let running =
        server::start(&settings.server, &settings.operator, &settings.upstream, parts, keeper)
            .map_err(|error| Failure::Io { what: "the gateway can't start".into(), error })?;
    store.tell_holder(&running.addresses.operator.to_string())?;
    Ok(running)
}

/// Serves until SIGTERM or SIGINT, then drains. A second signal ends it at once.
pub(super) async fn serve_until_told(running: Running, mut told: Told) -> Result<(), Failure> {
    told.next().await;
    tokio::select! {
        () = running.drain() => Ok(()),
        () = told.next() => {
            tracing::warn!("told twice to stop: open requests are cut");
            Err(Failure::Told { config: false })
        }
    }
}

/// The signals that end a gateway.
pub(super) struct Told {
    terminate: Signal,
    interrupt: Signal,
}

impl Told {
    /// Listens from now on.
    pub(super) fn listen() -> Result<Self, Failure> {
        let no_signals = |error: io::Error| Failure::Io { what: "signals".into(), error };
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(no_signals)?,
            interrupt: signal(SignalKind::interrupt()).map_err(no_signals)?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
