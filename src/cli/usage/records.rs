//! Records: as a table, as CSV, and whole as JSON.

use std::cmp::Reverse;

use super::{Form, Usage};
use crate::accounts::{AccountId, Attempt, Billing, Record, User, csv};
use crate::cli::desk::users;
use crate::cli::table::table;
use crate::cli::{Desk, Failure, print};

pub(super) async fn show(usage: &Usage, form: Form, desk: &Desk) -> Result<(), Failure> {
    let directory = desk.directory().await?;
    let users = users(&*directory, usage.user.as_deref()).await?;
    let mut records = Vec::new();
    for user in &users {
        records.extend(directory.records_of(user.id, None, usage.limit).await?);
    }
    // What was said is for the caller alone.
    records.iter_mut().for_each(|record| record.bodies = None);
    records.sort_by_key(|record: &Record| Reverse(record.at));
    records.truncate(usage.limit);
    match form {
        Form::Json => print::json(&records),
        Form::Csv => {
            let rows = records.iter().map(|record| line(record, &users));
            print::line(csv(SHEET, rows).trim_end())
        }
        Form::Table => print::line(&table(TABLE, records.iter().map(row).collect())),
    }
}

/// LEFT, OF and BY say why this account: what it had left, among how many it was chosen, and
/// by which policy.
const TABLE: [&str; 13] = [
    "TIME", "REQUEST", "MODEL", "PLATFORM", "ACCOUNT", "LEFT", "OF", "BY", "IN", "OUT", "POINTS",
    "TOOK", "OUTCOME",
];

fn row(record: &Record) -> [String; 13] {
    let last = record.attempts.last();
    let mark = if record.estimated { "~" } else { "" };
    [
        record.at.to_string(),
        record.id.clone(),
        record.model.clone(),
        text(last.map(|attempt| &attempt.platform)),
        text(account(record)),
        text(last.and_then(|attempt| attempt.remaining)),
        text(last.and_then(|attempt| attempt.candidates)),
        by(last),
        format!("{mark}{}", record.input),
        format!("{mark}{}", record.output),
        text(Some(record.points).filter(|points| !points.is_zero())),
        format!("{} ms", record.took_ms),
        record.outcome.to_string(),
    ]
}

const SHEET: [&str; 25] = [
    "at",
    "id",
    "user",
    "token",
    "model",
    "streamed",
    "platform",
    "account",
    "upstream_model",
    "remaining",
    "candidates",
    "policy",
    "stayed",
    "attempts",
    "input",
    "cache_read",
    "cache_write",
    "output",
    "reasoning",
    "estimated",
    "took_ms",
    "first_byte_ms",
    "billing",
    "points",
    "outcome",
];

fn line(record: &Record, users: &[User]) -> [String; 25] {
    let last = record.attempts.last();
    [
        record.at.to_string(),
        record.id.clone(),
        text(users.iter().find(|user| user.id == record.user).map(|user| &user.name)),
        record.token.to_string(),
        record.model.clone(),
        record.streamed.to_string(),
        text(last.map(|attempt| &attempt.platform)),
        text(account(record)),
        text(last.map(|attempt| &attempt.model)),
        text(last.and_then(|attempt| attempt.remaining)),
        text(last.and_then(|attempt| attempt.candidates)),
        text(last.and_then(|attempt| attempt.policy)),
        last.is_some_and(|attempt| attempt.stayed).to_string(),
        record.attempts.len().to_string(),
        record.input.to_string(),
        record.cache_read.to_string(),
        record.cache_write.to_string(),
        record.output.to_string(),
        record.reasoning.to_string(),
        record.estimated.to_string(),
        record.took_ms.to_string(),
        text(record.first_byte_ms),
        match record.billing {
            Billing::Quota => "quota".to_owned(),
            Billing::Points => "points".to_owned(),
        },
        record.points.to_string(),
        record.outcome.to_string(),
    ]
}

/// The policy that chose the account.
fn by(attempt: Option<&Attempt>) -> String {
    match attempt.and_then(|attempt| Some((attempt.policy?, attempt.stayed))) {
        Some((policy, true)) => format!("{policy}, stayed"),
        Some((policy, false)) => policy.to_string(),
        None => String::new(),
    }
}

/// The last attempt's account; none where a key of the operator's made it.
fn account(record: &Record) -> Option<AccountId> {
    let last = record.attempts.last()?.account;
    (last != AccountId::OPERATOR).then_some(last)
}

fn text(fact: Option<impl ToString>) -> String {
    fact.map(|fact| fact.to_string()).unwrap_or_default()
}
