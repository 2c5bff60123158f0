//! Totals: summed by what was asked for.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::{By, Form, Usage, sheet};
use crate::accounts::{Counts, PlatformId, TokenId, TotalKey, User, UserId};
use crate::cli::desk::users;
use crate::cli::table::table;
use crate::cli::{Desk, Failure, print};
use crate::telemetry::clock;

const DAYS: i64 = 30;

const HEAD: [&str; 15] = [
    "day",
    "user",
    "token",
    "account",
    "platform",
    "model",
    "calls",
    "attempts",
    "input",
    "cache_read",
    "cache_write",
    "output",
    "reasoning",
    "exact",
    "estimated",
];

pub(super) async fn show(usage: &Usage, form: Form, desk: &Desk) -> Result<(), Failure> {
    let directory = desk.directory().await?;
    let users = users(&*directory, usage.user.as_deref()).await?;
    let today = TimeZone::UTC.to_datetime(clock::now()).date();
    let until = usage.until.unwrap_or(today);
    let since = usage.since.unwrap_or_else(|| until.saturating_sub(DAYS.days()));
    let mut sums: BTreeMap<TotalKey, Counts> = BTreeMap::new();
    for user in &users {
        for total in directory.totals_of(user.id, since, until).await? {
            *sums.entry(told_apart(total.key, &usage.by)).or_default() += total.counts;
        }
    }
    let rows = sums.iter().map(|(key, counts)| row(key, counts, &usage.by, &users));
    match form {
        Form::Json => print::json(&rows.map(|row| facts(&row)).collect::<Vec<_>>()),
        Form::Csv => sheet::print(HEAD, rows),
        Form::Table => print::line(&table(HEAD, rows.collect())),
    }
}

/// The key without what does not tell it apart.
fn told_apart(key: TotalKey, by: &[By]) -> TotalKey {
    let by = |what| by.contains(&what);
    TotalKey {
        day: if by(By::Day) { key.day } else { Date::ZERO },
        user: if by(By::User) { key.user } else { UserId(0) },
        token: if by(By::Token) { key.token } else { TokenId(0) },
        account: key.account.filter(|_| by(By::Account)),
        platform: key.platform.filter(|_| by(By::Platform)),
        model: if by(By::Model) { key.model } else { String::new() },
    }
}

fn row(key: &TotalKey, counts: &Counts, by: &[By], users: &[User]) -> [String; 15] {
    let name = users.iter().find(|user| user.id == key.user).map(|user| user.name.clone());
    let asked = |what, text: String| if by.contains(&what) { text } else { String::new() };
    let keys = [
        asked(By::Day, key.day.to_string()),
        asked(By::User, name.unwrap_or_else(|| key.user.to_string())),
        asked(By::Token, key.token.to_string()),
        key.account.map(|account| account.to_string()).unwrap_or_default(),
        key.platform.as_ref().map(PlatformId::to_string).unwrap_or_default(),
        key.model.clone(),
    ];
    let counts = counts.row().map(|count| count.to_string());
    let mut cells = keys.into_iter().chain(counts);
    std::array::from_fn(|_| cells.next().unwrap_or_default())
}

/// A row as an object: what does not tell it apart is left out.
fn facts(row: &[String; 15]) -> Value {
    let mut facts = Map::new();
    for (name, cell) in HEAD.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
        let is_text = ["day", "user", "platform", "model"].contains(name);
        let number = cell.parse::<u64>().ok().filter(|_| !is_text);
        facts
            .insert((*name).to_owned(), number.map_or_else(|| json!(cell), |number| json!(number)));
    }
    Value::Object(facts)
}
