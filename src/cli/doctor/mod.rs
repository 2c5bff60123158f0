//! `tributary doctor`: a tick list of what a gateway needs.

mod accounts;
mod checklist;
mod store;

use std::sync::Arc;

use clap::Args;

use checklist::{Checklist, Mark};

use super::{Common, Desk, Failure, desk, print};
use crate::config::{Config, Environment, OwnRing, key_ring, operator_keys};
use crate::vault::Vault;

/// Go through all that a gateway needs, and say what is wrong and what to do.
///
/// Configuration, key ring, store, clock, keys, and each account by what is known of it. No
/// platform is asked unless `--check` says so. Exits 1 when something is wrong.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Try each account's credential on its platform, where that costs nothing.
    #[arg(long)]
    check: bool,
}

impl Doctor {
    pub(super) async fn run(self, common: &Common) -> Result<(), Failure> {
        let mut list = Checklist::default();
        let environment = Environment::of_process();
        let config = configuration(common, &environment, &mut list);
        let vault = ring(&environment, &mut list).await;
        if let (Some(config), Some(vault)) = (config, vault) {
            let desk = Desk { config, environment, json: common.json };
            if let Some(directory) = store::look(&desk, &vault, &mut list).await {
                accounts::look(&desk, &*directory, &vault, self.check, &mut list).await?;
            }
        }
        if common.json {
            print::json(&list)?;
        } else {
            print::line(&list.to_string())?;
        }
        if list.has_failed() { Err(Failure::Told { config: false }) } else { Ok(()) }
    }
}

fn configuration(
    common: &Common,
    environment: &Environment,
    list: &mut Checklist,
) -> Option<Config> {
    let loaded = desk::load(common, environment);
    let loaded = loaded.and_then(|config| operator_keys(&config, environment).map(|_| config));
    match loaded {
        Ok(config) => {
            let file = config.file.as_ref().map(|file| file.display().to_string());
            list.add(Mark::Good, "configuration", file.as_deref().unwrap_or("the defaults"), "");
            Some(config)
        }
        Err(mistakes) => {
            for mistake in &mistakes.0 {
                list.add(Mark::Wrong, "configuration", &mistake.to_string(), "");
            }
            None
        }
    }
}

async fn ring(environment: &Environment, list: &mut Checklist) -> Option<Arc<Vault>> {
    match key_ring(environment, OwnRing::IfThere).await {
        Ok(Some(ring)) => {
            let vault = Arc::new(Vault::new(&ring));
            let kids: Vec<_> = vault.kids().map(|kid| kid.to_string()).collect();
            let saw = match &kids[..] {
                [primary] => format!("{primary} seals"),
                [primary, behind @ ..] => {
                    format!("{primary} seals, {} opened before", behind.join(", "))
                }
                [] => String::new(),
            };
            list.add(Mark::Good, "key ring", &saw, "");
            Some(vault)
        }
        Ok(None) => {
            let fix = "export TRIBUTARY_MASTER_KEYS=$(tributary keys generate), once";
            list.add(Mark::Wrong, "key ring", "no key ring is set", fix);
            None
        }
        Err(mistakes) => {
            for mistake in &mistakes.0 {
                list.add(Mark::Wrong, "key ring", &mistake.to_string(), "");
            }
            None
        }
    }
}
