//! Each account, by what is known of it or by asking its platform.

use super::checklist::{Checklist, Mark};
use crate::accounts::{AccountState, Health};
use crate::authorize::{Verdict, check};
use crate::cli::account::deed;
use crate::cli::{Desk, Failure};
use crate::platforms::Reader;
use crate::store::{Directory, write_down};
use crate::upstream::Client;
use crate::vault::Vault;

/// How many accounts are read at once.
const A_PAGE: usize = 100;

pub(super) async fn look(
    desk: &Desk,
    directory: &dyn Directory,
    vault: &Vault,
    asks: bool,
    list: &mut Checklist,
) -> Result<(), Failure> {
    let client = Client::new(&desk.config.settings.upstream)
        .map_err(|why| Failure::other(why, "See [upstream]."))?;
    let resets = desk.resets();
    let (mut after, mut any) = (None, false);
    loop {
        let page = directory.accounts_after(after, A_PAGE, &resets).await?;
        let Some(last) = page.last() else { break };
        (after, any) = (Some(last.account.id), true);
        for state in &page {
            if asks {
                ask(desk, directory, vault, &client, state, list).await?;
            } else {
                known(state, list);
            }
        }
    }
    if !any {
        let fix = "tributary account add --help";
        list.add(Mark::Warning, "accounts", "none is bound yet", fix);
    }
    Ok(())
}

fn name(state: &AccountState) -> String {
    let account = &state.account;
    format!("account {} `{}` on {}", account.id, account.name, account.platform)
}

fn known(state: &AccountState, list: &mut Checklist) {
    let health = &state.health;
    let is_spent = state.remaining().is_some_and(|left| left <= 0);
    let mark = match health {
        Health::Active if is_spent => Mark::Warning,
        Health::Active => Mark::Good,
        Health::Cooling { .. } | Health::Disabled { .. } => Mark::Warning,
        Health::Expired { .. } | Health::Banned { .. } | Health::Locked { .. } => Mark::Wrong,
    };
    let saw = match health.reason() {
        Some(reason) => format!("{}: {reason}", health.status()),
        None if is_spent => "active, and its quota is used up".to_owned(),
        None => health.status().to_owned(),
    };
    list.add(mark, &name(state), &saw, health.remedy().unwrap_or_default());
}

async fn ask(
    desk: &Desk,
    directory: &dyn Directory,
    vault: &Vault,
    client: &Client,
    state: &AccountState,
    list: &mut Checklist,
) -> Result<(), Failure> {
    // What a person switched off is left alone.
    if matches!(state.health, Health::Disabled { .. }) {
        known(state, list);
        return Ok(());
    }
    let checked = check(directory, vault, &desk.config.catalogue, client, state).await?;
    let finding = checked.finding;
    let mark = match finding.verdict {
        Verdict::Valid => Mark::Good,
        Verdict::Unknown => Mark::Warning,
        _ => Mark::Wrong,
    };
    let word = serde_json::to_value(finding.verdict).unwrap_or_default();
    let word = word.as_str().unwrap_or_default();
    let deed = deed(&state.account, "account.check").with("verdict", word);
    write_down(directory, vault, deed).await?;
    let saw = format!("{word}: {}", finding.saw(Reader::Owner));
    list.add(mark, &name(state), &saw, finding.fix);
    Ok(())
}
