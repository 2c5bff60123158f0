//! `tributary check-config`: every mistake with its line, its key and what to do.

use clap::Args;

use super::{Common, Failure, desk, print};
use crate::config::{
    Environment, Mistake, OwnRing, Settings, key_ring, notice_senders, oidc_registration,
    operator_keys,
};

/// Check the configuration, and tell every mistake with its line.
#[derive(Debug, Args)]
pub(super) struct CheckConfig {
    /// Print the JSON schema of the configuration instead.
    #[arg(long)]
    schema: bool,
}

impl CheckConfig {
    pub(super) async fn run(self, common: &Common) -> Result<(), Failure> {
        if self.schema {
            return print::json(&Settings::schema());
        }
        let environment = Environment::of_process();
        let loaded = desk::load(common, &environment);
        let ring = key_ring(&environment, OwnRing::Never).await;
        let keys = loaded.as_ref().ok().map(|config| operator_keys(config, &environment));
        let senders = loaded.as_ref().ok().map(|config| notice_senders(config, &environment));
        let oidc = loaded.as_ref().ok().map(|config| oidc_registration(config, &environment));
        if let Ok(None) = ring {
            eprintln!("note: no key ring is set; `tributary serve` needs one");
        }
        let file = loaded.as_ref().ok().and_then(|config| config.file.clone());
        let mistakes: Vec<Mistake> = [
            loaded.err(),
            ring.err(),
            keys.and_then(Result::err),
            senders.and_then(Result::err),
            oidc.and_then(Result::err),
        ]
        .into_iter()
        .flatten()
        .flat_map(|all| all.0)
        .collect();
        if common.json {
            print::json(&serde_json::json!({ "mistakes": mistakes }))?;
        } else if mistakes.is_empty() {
            let what = file.map_or("the defaults".to_owned(), |file| file.display().to_string());
            print::line(&format!("{what}: no mistakes"))?;
        }
        if mistakes.is_empty() {
            return Ok(());
        }
        if !common.json {
            let lines: Vec<_> = mistakes.iter().map(Mistake::to_string).collect();
            print::line(&lines.join("\n"))?;
        }
        Err(Failure::Told { config: true })
    }
}
