//! `tributary usage`: the records of calls.

use std::cmp::Reverse;

use clap::Args;

use super::desk::users;
use super::table::table;
use super::{Desk, Failure, print};
use crate::accounts::{AccountId, Record};

/// Show the records of calls, newest first.
#[derive(Debug, Args)]
pub(super) struct Usage {
    /// Of this user alone.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

impl Usage {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let directory = desk.directory().await?;
        let mut records = Vec::new();
        for user in users(&*directory, self.user.as_deref()).await? {
            records.extend(directory.records_of(user.id, None, self.limit).await?);
        }
        records.sort_by_key(|record: &Record| Reverse(record.at));
        records.truncate(self.limit);
        if desk.json {
            return print::json(&records);
        }
        let head = [
            "TIME", "REQUEST", "MODEL", "PLATFORM", "ACCOUNT", "IN", "OUT", "POINTS", "TOOK",
            "OUTCOME",
        ];
        print::line(&table(head, records.iter().map(row).collect()))
    }
}

fn row(record: &Record) -> [String; 10] {
    let last = record.attempts.last();
    let mark = if record.estimated { "~" } else { "" };
    [
        record.at.to_string(),
        record.id.clone(),
        record.model.clone(),
        last.map(|attempt| attempt.platform.to_string()).unwrap_or_default(),
        last.filter(|attempt| attempt.account != AccountId::OPERATOR)
            .map(|attempt| attempt.account.to_string())
            .unwrap_or_default(),
        format!("{mark}{}", record.input),
        format!("{mark}{}", record.output),
        if record.points.is_zero() { String::new() } else { record.points.to_string() },
        format!("{} ms", record.took_ms),
        record.outcome.clone(),
    ]
}
