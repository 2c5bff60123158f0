//! Totals: summed by what was asked for.

use jiff::ToSpan;
use jiff::tz::TimeZone;

use super::{Form, Usage};
use crate::accounts::{Report, csv};
use crate::cli::desk::users;
use crate::cli::table::table;
use crate::cli::{Desk, Failure, print};
use crate::telemetry::clock;

const DAYS: i64 = 30;

pub(super) async fn show(usage: &Usage, form: Form, desk: &Desk) -> Result<(), Failure> {
    let directory = desk.directory().await?;
    let users = users(&*directory, usage.user.as_deref()).await?;
    let today = TimeZone::UTC.to_datetime(clock::now()).date();
    let until = usage.until.unwrap_or(today);
    let since = usage.since.unwrap_or_else(|| until.saturating_sub(DAYS.days()));
    let mut report = Report::new(usage.by.clone());
    for user in &users {
        for total in directory.totals_of(user.id, since, until).await? {
            report.add(total);
        }
    }
    let name = |id| users.iter().find(|user| user.id == id).map(|user| user.name.clone());
    let rows = report.rows(name);
    match form {
        Form::Json => print::json(&rows.iter().map(Report::facts).collect::<Vec<_>>()),
        Form::Csv => print::line(csv(Report::HEAD, rows).trim_end()),
        Form::Table => print::line(&table(Report::HEAD, rows)),
    }
}
