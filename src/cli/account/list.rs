//! `tributary account list`: status, windows, what is leased.

use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use crate::accounts::{AccountState, Health, Origin, User, Window};
use crate::api::AccountView;
use crate::cli::desk::users;
use crate::cli::pool::pools_of;
use crate::cli::table::table;
use crate::cli::{Desk, Failure, print};
use crate::platforms::Reader;
use crate::store::Directory;

/// List accounts with what is used of their windows.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Of this user alone.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

impl List {
    pub(in crate::cli) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let directory = desk.directory().await?;
        let listed = users(&*directory, self.user.as_deref()).await?;
        let states = states(desk, &*directory, &listed).await?;
        // Who brought an account to a team may be somebody else.
        let users = users(&*directory, None).await?;
        if desk.json {
            return print::json(
                &states.iter().map(|state| facts(state, &users)).collect::<Vec<_>>(),
            );
        }
        let head = [
            "ID", "USER", "PLATFORM", "NAME", "PRIORITY", "STATUS", "WINDOW", "USED", "LEASED",
            "LIMIT", "RESETS", "REASON",
        ];
        print::line(&table(head, states.iter().flat_map(|state| rows(state, &users)).collect()))
    }
}

/// The accounts of these users' pools, their teams' included, by id.
pub(super) async fn states(
    desk: &Desk,
    directory: &dyn Directory,
    users: &[User],
) -> Result<Vec<AccountState>, Failure> {
    let pools = pools_of(directory, users).await?;
    let mut states = directory.accounts_in(&pools, &desk.resets()).await?;
    states.sort_by_key(|state| state.account.id);
    Ok(states)
}

fn facts(state: &AccountState, users: &[User]) -> Value {
    let mut facts = serde_json::to_value(AccountView::of(state, Reader::Owner)).unwrap_or_default();
    facts["user"] = owner(state, users).into();
    facts
}

fn owner<'u>(state: &AccountState, users: &'u [User]) -> Option<&'u str> {
    users.iter().find(|user| user.id == state.account.owner).map(|user| user.name.as_str())
}

/// A row for each window, the account's own facts in the first.
fn rows(state: &AccountState, users: &[User]) -> Vec<[String; 12]> {
    let account = &state.account;
    let row = |(index, window): (usize, &Window)| {
        let first = |text: String| if index == 0 { text } else { String::new() };
        [
            first(account.id.to_string()),
            first(owner(state, users).unwrap_or_default().to_owned()),
            first(account.platform.to_string()),
            first(account.name.clone()),
            first(state.priority.to_string()),
            first(state.health.status().to_owned()),
            window.period.to_string(),
            window.used.to_string(),
            state.leased.to_string(),
            limit(window),
            window.resets_at.map_or("at first use".to_owned(), |at| at.to_string()),
            first(why(state)),
        ]
    };
    state.windows.iter().enumerate().map(row).collect()
}

/// A limit with whose word it is, where it is not a person's.
fn limit(window: &Window) -> String {
    match (window.limit, window.origin) {
        (None, _) => "unknown".to_owned(),
        (Some(limit), Origin::Hand) => limit.to_string(),
        (Some(limit), Origin::Catalogue) => format!("{limit} (the catalogue's)"),
        (Some(limit), Origin::Learned) => format!("{limit} (learned)"),
    }
}

/// When a pause ends.
fn until(state: &AccountState) -> Option<Timestamp> {
    match state.health {
        Health::Cooling { until, .. } => Some(until),
        _ => None,
    }
}

/// Why an account is not active, and what to do about it.
fn why(state: &AccountState) -> String {
    let (Some(reason), Some(remedy)) = (state.health.reason(), state.health.remedy()) else {
        return String::new();
    };
    match until(state) {
        Some(until) => format!("{reason} (until {until}): {remedy}"),
        None => format!("{reason}: {remedy}"),
    }
}
