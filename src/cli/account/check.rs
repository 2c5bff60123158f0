//! `tributary account check`: try a credential where that is free.

use clap::Args;
use serde_json::json;

use super::deed;
use super::which::Which;
use crate::authorize::{Verdict, check};
use crate::cli::{Desk, Failure, print};
use crate::platforms::Reader;
use crate::store::write_down;
use crate::upstream::Client;

/// Try an account's credential, where that costs nothing.
#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    which: Which,
}

impl Check {
    pub(in crate::cli) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let (directory, vault) = desk.sealing().await?;
        let state = self.which.find(desk, &*directory).await?;
        let client = Client::new(&desk.config.settings.upstream)
            .map_err(|why| Failure::other(why, "See [upstream]."))?;
        let checked = check(&*directory, &vault, &desk.config.catalogue, &client, &state).await?;
        let finding = checked.finding;
        let said = serde_json::to_value(finding.verdict).unwrap_or_default();
        let deed = deed(&state.account, "account.check").with_some("verdict", said.as_str());
        write_down(&*directory, &vault, deed).await?;
        let (verdict, saw, fix) = (finding.verdict, finding.saw(Reader::Owner), finding.fix);
        if desk.json {
            print::json(&json!({
                "id": state.account.id,
                "platform": state.account.platform,
                "name": state.account.name,
                "verdict": verdict,
                "saw": saw,
                "fix": fix,
                "status": checked.health.status(),
            }))?;
        } else {
            let word = serde_json::to_value(verdict).unwrap_or_default();
            let (id, name) = (state.account.id, &state.account.name);
            let word = word.as_str().unwrap_or_default();
            print::line(format!("account {id} `{name}`: {word}: {saw}\n{fix}").trim_end())?;
        }
        match verdict {
            Verdict::Valid | Verdict::Unknown => Ok(()),
            _ => Err(Failure::Told { config: false }),
        }
    }
}
